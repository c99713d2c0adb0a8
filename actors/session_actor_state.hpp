// What a session holds, and the parts of its conversation: turns (session_turns.cpp), what is between them (session_pauses.cpp), verbs and
// death (session_verbs.cpp), time and peers (session.cpp). Only those files include this.
#pragma once

#include <functional>
#include <set>
#include <unordered_map>
#include <vector>

#include "actors/actor_defaults.hpp"
#include "actors/session.hpp"
#include "actors/session_history.hpp"
#include "actors/session_life.hpp"
#include "actors/session_pause.hpp"
#include "actors/session_speculation.hpp"
#include "actors/session_verb_memory.hpp"
#include "actors/session_wishes.hpp"
#include "actors/turn.hpp"

namespace troupe::actors {

struct session_turn {
  turn work;
  turn_sink_actor sink;
  session_prompts::scope prompt_scope;
  std::string render_input{};  ///< of a chat, until it is rendered
  worker_actor worker{};       ///< once granted
  tool_pause paused{};         ///< the one that it ends
  std::uint32_t asked = 0;     ///< counts requests for it: answers to earlier ones are stale
  bool routed = false;         ///< the router must hear of its end
  std::optional<core::instant> retry_at{};
};

/// An owner whose history has been compacted, and the begin of its prompts.
struct session_legacy {
  owner_id owner;
  std::vector<core::block_identity> head;
};

struct session_worker {
  worker_id id;
  worker_actor handle;
};

using verb_promise = caf::typed_response_promise<verb_answer>;
using drain_promise = caf::typed_response_promise<session_drained>;

struct session_actor_state {
  session_actor_state() = default;
  session_actor_state(const session_actor_state&) = delete;
  session_actor_state& operator=(const session_actor_state&) = delete;
  /// A session that ends without having died, by a defect or for a new directory, leaves no blocks behind that nobody can name.
  ~session_actor_state();

  session_setup setup;
  session_life life;
  session_prompts prompts;
  session_pause pause;
  session_wishes wishes;
  session_history history;
  std::optional<cache_basis> cached;  ///< by the last main turn; which blocks, the history knows
  session_speculation speculation;
  core::tier_level max_tier = core::tier_level::remote;  ///< of the last main turn; a side call lifts no limit
  std::chrono::milliseconds cache_ttl{0};  ///< after the last use nothing keeps the context longer; 0: no such bound
  std::optional<std::uint32_t> pause_announced_ms;  ///< of the pause that begins when the running turn ends
  std::unordered_map<request_id, session_turn> turns;
  std::vector<session_worker> workers;  ///< that may hold blocks of ours, the latest used last
  std::vector<core::block_identity> head;  ///< of the last main prompt: what is the system's and the tools'
  std::vector<session_legacy> superseded;  ///< until the next prompt owns what it keeps
  bool has_inherited = false;              ///< from children that have died
  std::size_t tooled_messages = 0;         ///< of the last main prompt, if it offers tools
  std::optional<owner_id> resting;   ///< the owner before a rest: the stores still keep what it pinned
  session_verb_memory verbs;
  std::unordered_map<std::string, std::vector<verb_promise>> verbs_waiting;
  std::uint64_t verbs_unnamed = 0, prefetches = 0;
  std::unordered_map<session_id, session_kin_actor> children;
  std::set<caf::actor_addr> monitored;
  std::optional<core::instant> tick_at;
  core::instant used_at{};  ///< for the idle ttl
  bool draining = false, orphaned = false;
  session_drained drained;
  std::vector<drain_promise> drain_waiting;
  const char* name = "session";
};

// time, peers and records (session.cpp)
std::int64_t unix_ms_of(session_pointer self);
void monitor_once(session_pointer self, const caf::strong_actor_ptr& peer);
/// The turn runs there no more. A worker is watched only while a turn runs on it: it keeps a record of each watch until that ends.
void forget_worker(session_pointer self, session_turn& of);
void arm_tick(session_pointer self);
void tell_home(session_pointer self);
/// The directory writes down what is wished, when that has changed: before anyone who is told of it can answer.
void keep_wishes(session_pointer self);
void tell_lifecycle(session_pointer self, std::string_view verb, const verb_answer& answer);
void after_last_turn(session_pointer self);

// turns (session_turns.cpp), and what main ones find cached and leave there (session_cache.cpp)
void compare_prompt(session_pointer self, session_turn& of);
void remember_cached(session_pointer self, const session_turn& ended);
caf::result<request_id> begin_turn(session_pointer self, turn_request& request, const turn_sink_actor& sink);
void resume_turn(session_pointer self, request_id id);
void take_progress(session_pointer self, const sequence_progress& progress);
void fail_turn(session_pointer self, request_id id, failure error);
void fail_all_turns(session_pointer self, const failure& error);
void lose_peer(session_pointer self, request_id id);
std::vector<request_id> turn_ids(session_pointer self, const std::function<bool(const session_turn&)>& filter);

// pauses (session_pauses.cpp)
/// A turn has ended that `worker` computed, which may be null.
void begin_pause(session_pointer self, const session_turn& ended, const worker_actor& worker, const turn_finished& finished);
/// The outcome of the last turn names the tools that the session waits for.
void note_tools(session_pointer self, std::optional<std::uint32_t> expected_ms);
/// A verb says more of the pause than the answer did.
void repeat_outcome(session_pointer self, const session_verb& verb);
/// Now is the time to have the blocks back.
void prefetch_for_return(session_pointer self);
enum class pause_end : std::uint8_t { turn, left };
/// The session is back, or will not be. Returns the pause that is over.
tool_pause end_pause(session_pointer self, pause_end how);

// the next prompt (session_speculation.cpp)
/// A turn has ended whose answer may close a loop.
void speculate(session_pointer self, const session_turn& ended, const worker_actor& worker, const turn_finished& finished);
/// A main turn has started with so many cached tokens, or none will (0).
void end_speculation(session_pointer self, std::uint32_t cached_tokens, std::uint32_t block_tokens);

// what the dead leave (session_bequests.cpp)
/// Calls `then` with the owner that inherits, at once when nobody does; 0: nobody.
void find_heir(session_pointer self, std::function<void(owner_id)> then);
caf::result<session_heir> take_bequest(session_pointer self, const session_bequest& bequest);
/// Frees what dead children have left, on every holder.
void release_inherited(session_pointer self);

// verbs, blocks and death (session_verbs.cpp)
caf::result<verb_answer> take_verb(session_pointer self, const session_verb& verb);
void take_child(session_pointer self, const session_id& id, const session_kin_actor& child);
void remember_worker(session_pointer self, worker_id id, const worker_actor& worker);
void go_dormant(session_pointer self);
/// The time that the harness gave the context to be kept has passed.
void expire_context(session_pointer self);
/// Of the last prompt and its answer; nothing when none is remembered.
std::optional<prefetch_request> make_prefetch(session_pointer self);
/// A prompt has been admitted after a compaction: what it does not share with the history before is freed.
void release_superseded(session_pointer self);
/// `key` names who waits for the answer in `verbs_waiting`; nobody does when the session ends by itself.
void begin_death(session_pointer self, const std::string& key, const session_verb& verb);

}  // namespace troupe::actors
