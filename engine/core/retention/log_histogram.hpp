// A histogram over logarithmic bins that forgets: each value counts `decay` times what the next one does. Values are seconds, or ratios.
//
// Its product is a law: shares per bin. A law from little data is blended with a coarser one, and laws are shifted and cut as what
// they speak of changes.
#pragma once

#include <array>

namespace troupe::core {

/// Shares per bin, of 1 together.
class log_law {
 public:
  static constexpr int steps_per_octave = 8;              ///< a bin is 9 % wide: finer than what some dozen values can tell
  static constexpr int octave_first = -10, octaves = 28;  ///< 1 ms to 3 days, or a ratio from a thousandth on
  static constexpr int bins = steps_per_octave * octaves;

  /// Where a value lies, in bins from the first one's begin; bins have the powers of two in their middle. Clipped to what there is.
  static double position_of(double value);
  static double value_at(double position);

  /// Even from `from` to `to`, rising to the middle and falling from there.
  static log_law flat(double from, double to);
  static log_law peak(double from, double to);

  double& operator[](int bin) { return shares_[static_cast<std::size_t>(bin)]; }
  double operator[](int bin) const { return shares_[static_cast<std::size_t>(bin)]; }
  /// The value below which `share` of it lies.
  [[nodiscard]] double quantile(double share) const;
  /// Octaves from the quantile 0.1 to 0.9, one bin at least.
  [[nodiscard]] double width_octaves() const;
  /// The law of the values times `factor`.
  [[nodiscard]] log_law scaled(double factor) const;
  void mix(const log_law& other, double other_share);
  /// What is left of it when the value is known to exceed `passed`. The more has been outlived, the more the rest is a law without a
  /// scale, whose values exceed t with the chance passed / t; as if `doubt` of all values came from it.
  void outlive(double passed, double doubt);

 private:
  void normalise();
  std::array<double, bins> shares_{};
};

class log_histogram {
 public:
  explicit log_histogram(double decay) : growth_(1 / decay) {}

  void add(double value);
  /// How many values it still speaks for: at most 1 / (1 - decay).
  [[nodiscard]] double weight() const { return sum_ / unit_; }
  /// Of the values that it has seen; there is one.
  [[nodiscard]] log_law law() const;
  /// What a coarser law should still say beside this one: 1 / (1 + weight / 2)^2, half after one value, 3 % after ten. A share that
  /// fell with the weight alone would leave a tenth for ever, and with it the early quantile, to the coarser law.
  [[nodiscard]] double coarser_share() const;

 private:
  std::array<float, log_law::bins> counts_{};
  double growth_, unit_ = 1, sum_ = 0;  ///< a new value weighs unit_, which grows instead of all others shrinking
};

}  // namespace troupe::core
