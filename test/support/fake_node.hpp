// A node with a scripted directory and scripted sessions, for tests of what stands before them. It has an actor system of its own.
// Whatever it was told is kept and can be waited for; every wait ends after 10 s with an exception.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/actor_link.hpp"
#include "gateway/strand.hpp"

namespace troupe::test {

/// What a fake session does with a turn.
struct turn_script {
  std::optional<failure> refuse;            ///< the answer to the request, instead of its id
  bool silent = false;                      ///< no answer at all
  bool die = false;                         ///< after the events
  std::vector<gateway::turn_event> events;  ///< sent in order; their request id is filled in
};

class fake_node {
 public:
  fake_node();
  ~fake_node();
  [[nodiscard]] gateway::actor_link_factory links() const;

  // The script. May be changed at any time.
  void play(std::function<turn_script(const turn_request&)> script);
  void play(std::vector<gateway::turn_event> events);
  void refuse_spawns(failure why);
  void ignore_spawns();  ///< they are counted and never answered
  void set_status(node_status status);
  void set_metrics(std::string text);
  void answer_renders(std::function<expected<std::string>(const render_request&)> answer);  ///< until then with the input itself
  void answer_verbs(std::function<expected<verb_answer>(const session_verb&)> answer);

  // What happened; the n-th, counted from 1.
  turn_request turn(std::size_t n);
  turn_cancel cancel(std::size_t n);
  request_id sink_gone(std::size_t n);
  session_spawn spawn(std::size_t n);
  session_verb verb(std::size_t n);
  session_list listing(std::size_t n);
  render_request render(std::size_t n);
  [[nodiscard]] std::size_t turns() const;
  [[nodiscard]] std::size_t cancels() const;
  [[nodiscard]] std::size_t directories_asked() const;

  // Interference.
  void send(std::size_t turn, gateway::turn_event event);  ///< to the sink of the n-th turn
  void kill_directory();                                   ///< the next directory_request is answered with a new one
  void kill_session(const std::string& id);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Events of one answer with their sequence numbers.
class answer_events {
 public:
  answer_events& started(std::uint32_t prompt_tokens, std::uint32_t cached_tokens);
  answer_events& text(std::string piece) { return delta(turn_delta::kind::text, std::move(piece)); }
  answer_events& reasoning(std::string piece) { return delta(turn_delta::kind::reasoning, std::move(piece)); }
  answer_events& tool(std::uint32_t index, std::string id, std::string name);
  answer_events& arguments(std::uint32_t index, std::string piece);
  /// Text that is one token, with its log probability and alternatives.
  answer_events& scored(std::string piece, float logprob, std::vector<std::pair<std::string, float>> top);
  answer_events& finished(turn_end how, turn_usage usage);
  answer_events& failed(failure error);
  operator std::vector<gateway::turn_event>() const { return events_; }
  [[nodiscard]] const std::vector<gateway::turn_event>& all() const { return events_; }

 private:
  answer_events& delta(turn_delta::kind what, std::string piece);
  std::vector<gateway::turn_event> events_;
  std::uint32_t sequence_ = 0;
};

}  // namespace troupe::test
