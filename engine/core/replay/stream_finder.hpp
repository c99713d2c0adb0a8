// Which stream a request belongs to. Where the trace names sessions, its session; else the blocks tell: a request that begins with nearly
// all of what some stream last asked continues that stream.
#pragma once

#include <span>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core::replay {

class stream_finder {
 public:
  explicit stream_finder(std::uint32_t block_count) : last_(block_count, no_stream) {}

  stream_id find(std::span<const block_index> path) {
    std::uint32_t known = 0;
    while (known < path.size() && last_[path[known]] != no_stream) ++known;
    stream_id stream = known == 0 ? no_stream : last_[path[known - 1]];
    if (stream == no_stream || (known < continued_share * lengths_[stream] && (known < 3 || known + 1 < lengths_[stream]))) {
      stream = static_cast<stream_id>(lengths_.size());
      lengths_.emplace_back();
    }
    lengths_[stream] = static_cast<double>(path.size());
    for (const block_index block : path) last_[block] = stream;
    return stream;
  }

 private:
  static constexpr double continued_share = 0.9;  // the very end of a prompt is often rewritten
  std::vector<stream_id> last_;                   ///< who asked for the block last
  std::vector<double> lengths_;                   ///< of a stream's last request
};

}  // namespace troupe::core::replay
