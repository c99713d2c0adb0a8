// Blocks of preempted sequences that stay on the device until the tier below has them, for a short time at most: what is copied comes back
// by a copy, what is not would be computed again. The deepest leased block keeps all before it, so a sequence gives way as a whole.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/core/instant.hpp"
#include "engine/core/offloader.hpp"

namespace troupe::core {

class copy_holds {
 public:
  copy_holds(block_pool& pool, offloader& up) : pool_(pool), up_(up) {}

  /// Takes over one lease of each block, parents before children; ends at once those that no copy needs.
  void take(const std::vector<block_index>& leased, instant now);
  /// Ends the leases of what is copied or has waited for long enough.
  void release_done(instant now);
  void release_all();
  [[nodiscard]] bool empty() const noexcept { return holds_.empty(); }
  void count_leases(std::vector<std::uint32_t>& leases) const;

 private:
  struct hold {
    std::vector<block_index> blocks;
    instant until{0};
  };
  void release(std::vector<block_index>& blocks);

  block_pool& pool_;
  offloader& up_;
  std::vector<hold> holds_;
};

}  // namespace troupe::core
