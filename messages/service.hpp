// Rendering, records and the node itself: what the other actors share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/cache_miss.hpp"
#include "messages/status.hpp"

namespace troupe {

/// Renders a model's chat template. `input` is the JSON object of its variables (messages, tools, add_generation_prompt, ...).
struct render_request {
  request_id id;
  model_id model;
  std::string input;
  bool operator==(const render_request&) const = default;
};
struct render_result { std::string text; bool operator==(const render_result&) const = default; };

/// One line of the request trace; also feeds the metrics.
struct turn_record {
  request_id id;
  session_id session, parent;
  model_id model;
  worker_id worker;
  std::string how;  ///< stop, length, tool_calls, or the name of an errc
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  double queue_s = 0, first_token_s = 0, total_s = 0;
  std::int64_t at_ms = 0;  ///< Unix time of the end
  std::vector<std::string> tools;  ///< that the answer called; the first limits::trace_tools_max
  cache_miss miss;
  bool operator==(const turn_record&) const = default;
};
struct lifecycle_record {
  session_id session;
  std::string verb, outcome;
  std::uint32_t blocks_freed = 0;
  std::int64_t at_ms = 0;
  bool operator==(const lifecycle_record&) const = default;
};

enum class prefetch_end : std::uint8_t { none, in_time, late, wasted };
std::string_view to_string(prefetch_end value) noexcept;
/// A tool pause that is over: what was expected of it, and what became of the prefetch for its end. Without a forecast its fields are -1.
struct pause_record {
  session_id session;
  std::vector<std::string> tools;
  std::int64_t took_ms = -1;      ///< -1: the session did not come back
  std::int64_t expected_ms = -1;  ///< by the harness
  std::int64_t early_ms = -1, median_ms = -1, late_ms = -1;
  prefetch_end prefetch = prefetch_end::none;
  std::uint32_t blocks_prefetched = 0;
  std::int64_t at_ms = 0;
  bool operator==(const pause_record&) const = default;
};

struct metrics_request { bool operator==(const metrics_request&) const = default; };
struct metrics_text { std::string text; bool operator==(const metrics_text&) const = default; };  ///< Prometheus exposition format

/// Asks the node for the current session directory; it changes when the directory was restarted.
struct directory_request { bool operator==(const directory_request&) const = default; };

struct node_status_request { bool operator==(const node_status_request&) const = default; };
struct node_status {
  std::string state;  ///< loading, ready, draining
  std::uint32_t sessions = 0, turns_running = 0;
  std::uint32_t restarts = 0;
  std::vector<worker_status> workers;
  std::vector<tier_status> tiers;
  bool operator==(const node_status&) const = default;
};

/// Stop taking turns, let running ones finish until `within_ms`, tell the rest, then end everything.
struct drain_request { std::uint32_t within_ms = 0; bool operator==(const drain_request&) const = default; };
struct drain_done { std::uint32_t turns_finished = 0, turns_told = 0; bool operator==(const drain_done&) const = default; };

}  // namespace troupe
