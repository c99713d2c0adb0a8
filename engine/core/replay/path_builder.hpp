// Block ids of one request to the forest. Most requests repeat the one before, so only what differs is looked up.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "engine/core/replay/trace.hpp"

namespace troupe::core::replay {

class path_builder {
 public:
  /// The last block of the path `ids`; no_block when it is empty.
  block_index add(block_forest& forest, std::span<const std::uint64_t> ids) {
    const auto [mine, theirs] = std::mismatch(ids.begin(), ids.end(), ids_.begin(), ids_.end());
    const auto same = static_cast<std::size_t>(mine - ids.begin());
    ids_.resize(same);
    path_.resize(same);
    block_index last = same == 0 ? no_block : path_[same - 1];
    for (const std::uint64_t id : ids.subspan(same)) {
      ids_.push_back(id);
      path_.push_back(last = forest.child(last, id));
    }
    return last;
  }

 private:
  std::vector<std::uint64_t> ids_;  ///< of the request before
  std::vector<block_index> path_;
};

}  // namespace troupe::core::replay
