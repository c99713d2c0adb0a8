// The rows of `troupe replay`: which are asked for, what each says, and how they look as a table and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/replay/player.hpp"

namespace troupe::gateway {

/// One row: what was asked for and what came out.
struct replay_row {
  core::replay::row_options asked;
  double capacity_share = 0;  ///< of the unique blocks, on all devices together
  std::string hints;
  core::replay::row_figures figures;
  double seconds = 0;  ///< that the row took to play
};

/// What all rows share.
struct replay_summary {
  std::vector<std::string> traces;
  std::string scenario;
  std::uint64_t requests = 0, sessions = 0, unique_blocks = 0, blocks = 0, block_tokens = 0;
  double ceiling = 0;  ///< the hit rate of an endless cache
};

/// Hit rates by policy and capacity side by side, then the figures of each row.
std::string replay_table(const replay_summary& summary, const std::vector<replay_row>& rows);
std::string replay_json(const replay_summary& summary, const std::vector<replay_row>& rows);

}  // namespace troupe::gateway
