#include "engine/core/replay/future.hpp"

namespace troupe::core::replay {

std::vector<std::vector<use_run>> future_uses(const recorded_trace& trace, const scenario& played) {
  std::vector<std::vector<use_run>> uses(played.requests.size());
  std::vector<std::uint32_t> next(trace.blocks.size(), no_block);
  for (auto at = static_cast<std::uint32_t>(uses.size()); at-- > 0;) {
    auto block = played.requests[at].asked.last;
    for (std::uint32_t depth = played.requests[at].asked.blocks; depth-- > 0; block = trace.blocks.parent(block)) {
      const std::uint32_t use = next[block];
      next[block] = at;
      if (use == no_block) continue;
      auto& runs = uses[at];
      if (!runs.empty() && runs.back().next == use && runs.back().from == depth + 1)
        runs.back().from = depth;
      else
        runs.push_back({depth, depth + 1, use});
    }
  }
  return uses;
}

}  // namespace troupe::core::replay
