// When a waiting stream will come back, learned online, and what holding its blocks is worth meanwhile.
//
// Waits are sorted into classes, from coarse to fine, and time since their begin into bins that grow by a factor. A class keeps, per bin,
// how many waits came that far and how many ended in it (Kaplan and Meier's estimate: waits that never end count as long as they last). A
// fine class with little data leans on the coarser one.
//
// The worth of a block is that of a Gittins index: the most hits per block and second that holding it for some time can expect,
//   max over tau of P(return <= tau) / E[min(return, tau)], given the time that has passed.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace troupe::core {

class return_model {
 public:
  static constexpr int bins = 64;
  static int bin_of(double seconds);
  static double begin_of(int bin);

  static constexpr std::size_t levels_max = 5;
  /// The classes of one wait, coarse to fine; what is not used is `none`.
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  using classes = std::array<std::uint32_t, levels_max>;
  /// The classes named by `keys`, which are small numbers, each unique within its level. The first is the class of all.
  classes classes_of(const classes& keys);

  void reached(const classes& of, int bin);  ///< a wait has come to this bin; also the first
  void retract(const classes& of, int bin);  ///< a wait that has come to `bin` was none of these classes
  void ended(const classes& of, int bin);    ///< in this bin the stream came back
  /// Hits per block and second of a wait that has come to `bin`.
  double worth(const classes& of, int bin);

 private:
  struct record {
    std::array<float, bins> reached{}, ended{};
    std::array<float, bins> worth{};
    float fresh_until_own = -1, fresh_until_all = -1;  ///< `worth` holds until so many waits were seen
  };
  void refresh(const classes& of, record& finest);

  std::vector<record> records_;
  std::array<std::unordered_map<std::uint32_t, std::uint32_t>, levels_max> by_key_;
};

}  // namespace troupe::core
