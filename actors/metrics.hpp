// Numbers in the Prometheus text format (version 0.0.4). Gauges of workers and sessions are read from status answers when someone
// asks, so a restarted worker's numbers never outlive it; counters and histograms of turns are the trace actor's (turn_metrics).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/lifecycle.hpp"
#include "messages/status.hpp"

namespace troupe::actors {

/// What a node counts itself.
struct node_gauges {
  std::map<session_state, std::uint64_t> sessions;
  std::uint32_t turns_running = 0;
  std::uint32_t restarts = 0;             ///< of supervised actors
  std::uint64_t unexpected_messages = 0;  ///< see actor_defaults.hpp
};

/// Complete families with HELP and TYPE lines; appended to what the trace actor answers.
std::string render_gauges(const std::vector<worker_status>& workers, const std::vector<tier_status>& tiers, const node_gauges& node);

/// A label's value as the format wants it: backslash, quote and line feed escaped.
std::string escape_label(std::string_view value);

}  // namespace troupe::actors
