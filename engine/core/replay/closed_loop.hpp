// When the requests of a trace are due against a server that takes its own time: a request waits for the answer before it, then for the
// pause that was recorded between them. Pure: the caller says what time it is and which answer has ended.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::core::replay {

struct loop_options {
  std::uint32_t slots = 0;  ///< sessions at once, in the shuffled order of closed:C; 0: each at its recorded time
  std::uint32_t seed = 1;   ///< of the shuffle
  double pause_scale = 1;   ///< what a recorded pause is multiplied by: more of it lets more sessions share the same load
  double slot_wait_s = 30;  ///< slot i is first free after i times this, and after each session it rests so long
};

/// What came before a request in its agent's life.
enum class turn_cause : std::uint8_t { first, tool, person, unknown };

struct loop_request {
  recorded_request asked;
  std::uint32_t agent = 0;  ///< of the loop
  double gap_s = 0;         ///< after the answer it waits for, or after its session's start
  double pause_s = -1;      ///< of the tool pause that follows; -1: none does
  turn_cause cause = turn_cause::first;
};

struct loop_agent {
  std::uint32_t session = 0;  ///< of the loop: in the order in which they begin
  std::uint32_t parent = 0;   ///< of the loop; a lead is its own
  std::uint32_t team = 0;     ///< agents of the session besides the lead
  std::uint32_t requests_left = 0;
  std::uint32_t children_left = 0;  ///< that have not ended
};

/// An agent's first request waits for the last request that its parent had begun by then. Each agent's own follow one another. An agent
/// has ended when its last answer and all its subagents have.
class closed_loop {
 public:
  /// Failure: invalid_request, when the trace has no sessions to put into slots.
  static expected<closed_loop> make(const recorded_trace& trace, const loop_options& options);

  [[nodiscard]] const std::vector<loop_request>& requests() const noexcept { return requests_; }
  [[nodiscard]] const std::vector<loop_agent>& agents() const noexcept { return agents_; }
  [[nodiscard]] std::uint32_t sessions() const noexcept { return static_cast<std::uint32_t>(sessions_.size()); }

  /// When the next request is due; nothing while all that are left wait for answers.
  [[nodiscard]] std::optional<double> next_due_s() const;
  /// At most `room` requests that are due, the earliest first.
  std::vector<std::uint32_t> take_due(double now_s, std::size_t room);
  /// The answer of request `number` has ended, well or badly. Returns the agents that ended with it, subagents before their parents.
  std::vector<std::uint32_t> answered(std::uint32_t number, double now_s);
  [[nodiscard]] bool is_done() const noexcept { return answers_left_ == 0; }

 private:
  struct session_state {
    std::vector<std::uint32_t> roots;  ///< requests that wait for its start only
    std::uint32_t answers_left = 0;
    double begin_s = 0;
  };
  closed_loop() = default;
  void add(const recorded_session& recorded);
  void link(std::uint32_t number, std::uint32_t first_agent, double begin_at_s, std::vector<std::uint32_t>& last_of);
  void begin(std::uint32_t session, double at_s);

  loop_options options_;
  std::vector<loop_request> requests_;
  std::vector<std::vector<std::uint32_t>> waiters_;  ///< per request
  std::vector<loop_agent> agents_;
  std::vector<session_state> sessions_;
  std::uint32_t sessions_begun_ = 0;
  std::size_t answers_left_ = 0;
  using due = std::pair<double, std::uint32_t>;
  std::priority_queue<due, std::vector<due>, std::greater<>> due_;
};

}  // namespace troupe::core::replay
