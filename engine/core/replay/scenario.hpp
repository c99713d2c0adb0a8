// When each request of a trace arrives and ends in virtual time. Both scenarios are exact, so that two programs can be compared digit by
// digit: the recorded times as they are, or `closed` with a number of slots that sessions take in a shuffled order.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::core::replay {

struct scenario_options {
  std::uint32_t slots = 0;  ///< 0: recorded
  std::uint32_t seed = 1;
};
/// "recorded" or "closed:C".
std::optional<scenario_options> parse_scenario(std::string_view text);

inline constexpr double gap_s_max = 900;  ///< between the requests of a session in slots, without the answer's time

/// The sessions of at least two requests in the order in which slots take them.
std::vector<const recorded_session*> slot_order(const recorded_trace& trace, std::uint32_t seed);

struct played_request {
  double start_s = 0, finish_s = 0;
  std::uint32_t session = 0;
  recorded_request asked;
  double tool_pause_s = -1;   ///< from the finish until the tool result comes back; -1: no tool pause follows
  bool ends_session = false;  ///< it is the last one
};

struct scenario {
  std::vector<played_request> requests;  ///< by start
  std::uint32_t sessions = 0;
  std::uint32_t unique_blocks = 0;
  std::uint64_t blocks = 0;   ///< over all requests
  std::uint64_t ceiling = 0;  ///< of them, in an earlier request too: what an endless cache hits
};

/// Failure: invalid_request, when the trace has no sessions to put into slots.
expected<scenario> make_scenario(const recorded_trace& trace, const scenario_options& options);

}  // namespace troupe::core::replay
