#include "engine/core/retention/return_model.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::core {
namespace {

constexpr double first_bin_s = 0.5, bins_per_octave = 4;  // 64 bins end at 7 h; finer ones gained nothing in replays
constexpr float class_weight = 8;                         // waits of a coarser class that a finer one starts from
constexpr double first_chance = 0.3;                      // of ending in the first bin, before anything is known
constexpr double chance_decay = 0.9;                      // per bin: who has waited longer than anybody seen is hardly coming
constexpr float bin_weight = 4;                           // waits that this guess is worth

std::array<double, return_model::bins + 1> make_begins() {
  std::array<double, return_model::bins + 1> begins{};
  for (std::size_t bin = 1; bin < begins.size(); ++bin)
    begins[bin] = first_bin_s * std::exp2(static_cast<double>(bin - 1) / bins_per_octave);
  return begins;
}
const std::array<double, return_model::bins + 1> begins = make_begins();

}  // namespace

int return_model::bin_of(double seconds) {
  if (!(seconds >= first_bin_s)) return 0;
  const double octaves = std::log2(seconds / first_bin_s);
  // A timer set to the begin of a bin must find itself in it, whatever the rounding of the logarithm.
  const int bin = static_cast<int>(std::min(octaves * bins_per_octave + 1 + 1e-6, double{bins - 1}));
  return bin;
}

double return_model::begin_of(int bin) { return begins[static_cast<std::size_t>(bin)]; }

return_model::classes return_model::classes_of(const classes& keys) {
  classes found;
  for (std::size_t level = 0; level < levels_max; ++level) {
    found[level] = none;
    if (keys[level] == none) continue;
    const auto [at, is_new] = by_key_[level].emplace(keys[level], static_cast<std::uint32_t>(records_.size()));
    if (is_new) records_.emplace_back();
    found[level] = at->second;
  }
  return found;
}

void return_model::reached(const classes& of, int bin) {
  for (const std::uint32_t each : of)
    if (each != none) ++records_[each].reached[static_cast<std::size_t>(bin)];
}

void return_model::retract(const classes& of, int bin) {
  for (const auto each : of)
    for (int at = 0; each != none && at <= bin; ++at) --records_[each].reached[static_cast<std::size_t>(at)];
}

void return_model::ended(const classes& of, int bin) {
  for (const std::uint32_t each : of)
    if (each != none) ++records_[each].ended[static_cast<std::size_t>(bin)];
}

double return_model::worth(const classes& of, int bin) {
  std::uint32_t finest = of[0];
  for (const std::uint32_t each : of)
    if (each != none) finest = each;
  record& at = records_[finest];
  if (at.reached[0] >= at.fresh_until_own || records_[of[0]].reached[0] >= at.fresh_until_all) refresh(of, at);
  return at.worth[static_cast<std::size_t>(bin)];
}

void return_model::refresh(const classes& of, record& finest) {
  std::array<double, bins> hazard{};  // of ending in the bin, having come to it
  double guess = first_chance;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    double chance = guess;
    bool is_first = true;
    for (const std::uint32_t each : of) {
      if (each == none) continue;
      const record& level = records_[each];
      const float weight = is_first ? bin_weight : class_weight;
      chance = (level.ended[bin] + weight * chance) / (level.reached[bin] + weight);
      if (is_first) guess = chance * chance_decay;
      is_first = false;
    }
    hazard[bin] = std::min(chance, 1.0);
  }
  for (std::size_t from = 0; from < bins; ++from) {
    double waiting = 1, held_s = 0, best = 0;
    for (std::size_t bin = from; bin < bins && waiting > 1e-4; ++bin) {
      const double width = begins[bin + 1] - begins[bin], ending = waiting * hazard[bin];
      held_s += (waiting - ending) * width + ending * width / 2;
      waiting -= ending;
      best = std::max(best, (1 - waiting) / held_s);
    }
    finest.worth[from] = static_cast<float>(best);
  }
  // Often enough to learn from the first waits, seldom enough to cost nothing later.
  finest.fresh_until_own = finest.reached[0] * 1.1F + 3;
  finest.fresh_until_all = records_[of[0]].reached[0] * 1.05F + 8;
}

}  // namespace troupe::core
