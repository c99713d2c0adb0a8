// What a connection may ask of the actors, without a word of CAF: turns, and everything that is one question and one answer.
// Answers come back on the strand the link was made for. actor_calls.cpp is the real one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <variant>

#include "messages/lifecycle.hpp"
#include "messages/service.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

/// A failure ends a turn like turn_finished does, and is the only event then when the turn was not accepted.
using turn_event = std::variant<turn_started, turn_delta, turn_finished, failure>;
using turn_events = std::function<void(const turn_event&)>;

/// Verbs of several sessions, each answered for itself: one that nobody can take is `missing` or `rejected`.
struct verb_batch { std::vector<session_verb> verbs; };
struct verb_answers { std::vector<verb_answer> answers; };  ///< in the order of the verbs

using control_request =
    std::variant<session_spawn, session_find, session_list, session_verb, node_status_request, metrics_request, render_request, verb_batch>;
using control_answer =
    std::variant<failure, session_info, session_listing, verb_answer, node_status, metrics_text, render_result, verb_answers>;
using control_answers = std::function<void(control_answer)>;

/// Something asked and not yet answered. Its end cancels: no event arrives after that.
class actor_call {
 public:
  virtual ~actor_call() = default;
  /// Tells the session why, before the end.
  virtual void cancel(errc why) = 0;
};

/// Used on one strand only.
class actor_link {
 public:
  virtual ~actor_link() = default;
  /// Finds or spawns the session, hands it the turn, streams its events. `turn.timeout_ms` bounds the wait for its acceptance.
  virtual std::unique_ptr<actor_call> turn(session_spawn spawn, turn_request turn, turn_events events) = 0;
  virtual std::unique_ptr<actor_call> control(control_request request, std::chrono::milliseconds timeout, control_answers answers) = 0;
  /// The session dies. Nobody hears of it.
  virtual void end_session(const session_id& id) = 0;
};

}  // namespace troupe::gateway
