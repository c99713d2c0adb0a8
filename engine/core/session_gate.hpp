// Admission by whole sessions: who owns nothing here yet waits while the contexts of those at work, with its own, are more than can be kept.
// A session let in too early costs each of the others its prefix, turn after turn.
//
//   new --room, its wait is over, nobody at work--> known --turns--> at work --answer, pause--> at rest --released--> forgotten
//
// At work: a turn is here, or a tool pause that is expected to end soon. Only sessions of the newcomer's class or above are in its way. What
// is shared with others counts once. A subagent never waits: whoever spawned it has been let in, and waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/core/instant.hpp"
#include "engine/core/scheduler.hpp"

namespace troupe::core {

struct session_gate_options {
  std::chrono::milliseconds wait_max{0};  ///< of one turn; 0: none waits, and nothing is counted
};

struct session_gate_counts {
  std::uint32_t waiting = 0;
  std::uint64_t ended_by_room = 0, ended_by_bound = 0;
};

/// What follows an answer: nothing that is known of, or a tool pause with its forecast in seconds; negative: there is none. After a side
/// call the session does what it did before.
struct session_rest {
  bool is_tool_pause = false;
  double median_s = -1, late_s = -1;
  bool is_side = false;
  request_id turn{};  ///< of a side call: which
};

class session_gate {
 public:
  session_gate(const session_gate_options& options, const block_pool& pool) : options_(options), pool_(pool), blocks_kept_max_(pool.block_count()) {}

  /// That the device and what of the tier below is this worker's can keep together.
  void set_capacity(std::uint64_t blocks) noexcept { blocks_kept_max_ = blocks; }
  /// take_let_in returns it, now or later.
  void admit(sequence_spec spec, instant now);
  std::vector<sequence_spec> take_let_in(instant now);
  /// Sessions at rest that must give up their place for those let in, each once.
  std::vector<owner_id> take_demoted() { return std::exchange(demoted_, {}); }
  /// It has left the worker, however it ended.
  void end_turn(request_id id, instant now);
  void rest(owner_id owner, std::uint64_t context_tokens, const session_rest& how, instant now);
  void release_owner(owner_id owner);

  /// Of turns that wait here.
  bool cancel(request_id id);
  std::vector<request_id> take_late(instant now);
  [[nodiscard]] bool knows(request_id id) const;
  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size() + let_in_.size(); }
  [[nodiscard]] std::uint64_t tokens_waiting() const;
  [[nodiscard]] session_gate_counts counts() const noexcept;

 private:
  using session_key = std::uint64_t;
  using order = std::pair<std::int64_t, std::uint64_t>;
  struct session {
    owner_id owner;
    std::int32_t priority = 0;       ///< of its last turn
    std::uint64_t context = 0;       ///< blocks of the longest of its turns that have ended
    std::uint64_t ended = 0;         ///< expected of those of which it is not said yet how they ended
    std::uint64_t shared = 0;        ///< of them, those that others had here before
    std::map<request_id, std::uint64_t> turns;  ///< here, with their blocks at the expected end
    std::vector<request_id> unsaid;  ///< that have ended, while it is not said yet how the session goes on
    instant unsaid_until{0};         ///< at work because of them
    instant at_work_until{0};        ///< without a turn, as its last outcome said
    instant rests_since{0};
    bool is_demoted = false;
    [[nodiscard]] std::uint64_t blocks() const;
    [[nodiscard]] bool is_at_work(instant now) const {
      return !turns.empty() || now < at_work_until || (!unsaid.empty() && now < unsaid_until);
    }
  };
  struct newcomer {
    sequence_spec spec;
    instant since{0};
    bool has_waited = false;
  };

  static session_key key_of(const sequence_spec& spec) { return spec.session != 0 ? spec.session : spec.owner.value; }
  [[nodiscard]] bool must_wait(const sequence_spec& spec) const;
  [[nodiscard]] std::uint64_t blocks_matched(const sequence_spec& spec) const;
  [[nodiscard]] std::uint64_t blocks_expected(const sequence_spec& spec) const;
  [[nodiscard]] bool has_room_for(const sequence_spec& spec, instant now) const;
  void let_in(sequence_spec spec);
  void note_turn(const sequence_spec& spec);
  /// Until what is kept has room.
  void demote(instant now);

  session_gate_options options_;
  const block_pool& pool_;
  std::uint64_t blocks_kept_max_;
  std::unordered_map<session_key, session> sessions_;
  std::unordered_map<owner_id, session_key> by_owner_;
  std::unordered_map<request_id, session_key> by_turn_;
  std::map<order, newcomer> waiting_;  ///< higher priority first, then arrival
  std::vector<sequence_spec> let_in_;
  std::vector<owner_id> demoted_;
  std::uint64_t ended_by_room_ = 0, ended_by_bound_ = 0;
};

}  // namespace troupe::core
