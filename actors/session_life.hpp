// One agent's life as a plain state machine: which state it is in, what a verb or a turn makes of it, and what is worth remembering.
// Knows no actor and no clock. A second turn beside a running one is a side call and changes no state.
//
//             turn                 answer
//   idle ------------> generating -------------> idle
//    |  ^                  ^  | answer with tool calls
//    |  | resume      turn |  v
//    |  +--------------- tool_paused <--- tool_pause (from idle, dormant)
//    v idle ttl            | idle ttl
//   dormant <--------------+          turn: dormant -> generating; resume: dormant -> idle
//   any -- die --> dead
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/lifecycle.hpp"
#include "messages/turn.hpp"

namespace troupe::actors {

/// What a verb asks of the session's actor beyond the change of state.
struct verb_effect {
  verb_answer answer;
  bool release = false;    ///< give up the owned blocks; the answer then carries how many were freed
  bool supersede = false;  ///< give them up once the next prompt has shown which of them it keeps
  bool die = false;
  bool demote = false, prefetch = false, wish = false;  ///< the workers are asked; what they say completes the answer
};

class session_life {
 public:
  session_life() = default;
  explicit session_life(session_info info) : info_(std::move(info)) {}

  [[nodiscard]] const session_info& info() const noexcept { return info_; }
  [[nodiscard]] session_state state() const noexcept { return info_.state; }
  /// Whose the blocks are that are computed now. Changes with each release, so that what a running turn still adds can be told apart.
  [[nodiscard]] owner_id owner() const noexcept;

  /// The same through all of them; another one for each session.
  [[nodiscard]] std::uint64_t number() const noexcept;
  /// The mean of its answers, 0 before the first.
  [[nodiscard]] std::uint32_t output_tokens_mean() const noexcept;

  void turn_begins(request_id id, std::int64_t now_ms);
  void side_call_begins(std::int64_t now_ms) noexcept { info_.used_ms = now_ms; }
  [[nodiscard]] bool is_main(request_id id) const noexcept { return main_turn_ == id; }
  [[nodiscard]] std::optional<request_id> main_turn() const noexcept { return main_turn_; }
  /// The main turn goes on as a side call; the next turn is the main one.
  void yield_main() noexcept;
  /// It was the main turn that ended last.
  [[nodiscard]] bool ended_last(request_id id) const noexcept { return !main_turn_ && last_main_ == id; }
  /// The result of any turn; `finished` of the main one ends `generating`, with tool calls in `tool_names` as a tool pause.
  void turn_ends(const turn_finished& finished, const std::vector<std::string>& tool_names, std::int64_t now_ms);

  verb_effect apply(const session_verb& verb, std::int64_t now_ms);
  /// The idle ttl has passed. False: it is generating or at rest already.
  bool rest();
  void release_owner() noexcept { ++owner_generation_; }
  void die(std::int64_t now_ms);
  /// Of the main prompt that comes now.
  void set_role_tokens(std::vector<std::uint32_t> by_role) { info_.role_tokens = std::move(by_role); }
  /// Whose the blocks are that dead children have left to this session: the same as long as it lives.
  [[nodiscard]] owner_id heir() const noexcept;
  void set_children(std::size_t alive) { info_.children = static_cast<std::uint32_t>(alive); }
  /// How long the last tool pause took, once it has ended.
  [[nodiscard]] std::optional<std::int64_t> last_pause_ms() const noexcept { return last_pause_ms_; }

 private:
  verb_effect apply_idle(const session_verb& verb, std::int64_t now_ms);
  verb_effect apply_generating(const session_verb& verb, std::int64_t now_ms);
  verb_effect apply_tool_paused(const session_verb& verb, std::int64_t now_ms);
  verb_effect apply_dormant(const session_verb& verb, std::int64_t now_ms);
  void pause(std::vector<std::string> tools, std::int64_t now_ms);
  void leave_pause(std::int64_t now_ms);

  session_info info_;
  std::optional<request_id> main_turn_, last_main_;
  std::optional<std::vector<std::string>> pause_asked_;  ///< a tool_pause that waits for the end of the turn
  std::int64_t paused_since_ms_ = 0;
  std::optional<std::int64_t> last_pause_ms_;
  std::uint32_t owner_generation_ = 0;
};

/// The hash of (session, incarnation, generation).
owner_id owner_of(const session_id& id, std::uint32_t incarnation, std::uint32_t generation) noexcept;

}  // namespace troupe::actors
