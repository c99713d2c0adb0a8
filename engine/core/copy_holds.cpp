#include "engine/core/copy_holds.hpp"

#include <algorithm>
#include <ranges>

#include "messages/base/limits.hpp"

namespace troupe::core {

void copy_holds::take(const std::vector<block_index>& leased, instant now) {
  auto kept = up_.hasten(leased, limits::preempted_blocks_max);
  for (const block_index block : leased | std::views::reverse)
    if (std::ranges::find(kept, block) == kept.end()) pool_.release(block);
  if (!kept.empty()) holds_.push_back({std::move(kept), now + instant{limits::preempted_copy_wait}});
}

void copy_holds::release_done(instant now) {
  for (hold& each : holds_) {
    if (now >= each.until) release(each.blocks);
    const auto done = std::ranges::stable_partition(each.blocks, [this](block_index block) { return !up_.is_settled(block); });
    std::vector<block_index> settled(done.begin(), done.end());
    each.blocks.erase(done.begin(), done.end());
    release(settled);
  }
  std::erase_if(holds_, [](const hold& each) { return each.blocks.empty(); });
}

void copy_holds::release_all() {
  for (hold& each : holds_) release(each.blocks);
  holds_.clear();
}

void copy_holds::release(std::vector<block_index>& blocks) {
  for (const block_index block : blocks | std::views::reverse) pool_.release(block);
  blocks.clear();
}

void copy_holds::count_leases(std::vector<std::uint32_t>& leases) const {
  for (const hold& each : holds_)
    for (const block_index block : each.blocks) ++leases[block];
}

}  // namespace troupe::core
