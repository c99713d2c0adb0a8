// The life of a session: verbs from the harness, their outcomes, and what a listing shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/cache_miss.hpp"

namespace troupe {

enum class session_state : std::uint8_t { idle, generating, tool_paused, dormant, dead };
enum class verb_kind : std::uint8_t { spawn, tool_pause, resume, compact, die, pin, retain, demote, prefetch, release };
enum class verb_outcome : std::uint8_t { accepted, clipped, deferred, rejected, missing };

std::string_view to_string(session_state value) noexcept;
std::string_view to_string(verb_kind value) noexcept;
std::string_view to_string(verb_outcome value) noexcept;
/// False leaves `value` alone.
bool from_string(std::string_view text, verb_kind& value) noexcept;

/// Creates the session if it is not there; the second time for one id it returns the same one.
struct session_spawn {
  session_id id;
  session_id parent;  ///< empty: a root
  model_id model;
  std::int32_t priority = 0;
  bool one_turn = false;  ///< it dies after its first turn and nobody knows its name: a restart need not remember it
  bool operator==(const session_spawn&) const = default;
};

struct session_find { session_id id; bool operator==(const session_find&) const = default; };
struct session_list {
  std::uint32_t limit = 1000;
  bool with_dead = false;
  std::string tenant;  ///< whose sessions; empty: everybody's
  bool operator==(const session_list&) const = default;
};

/// One verb. Idempotent by `id`: a repeat is answered with the first outcome.
struct session_verb {
  session_id session;
  std::string id;
  verb_kind what = verb_kind::tool_pause;
  std::uint32_t expect_ms = 0;     ///< tool_pause: expected length
  std::vector<std::string> tools;  ///< tool_pause: names
  std::uint32_t ttl_ms = 0;        ///< pin, retain: for how long; 0 ends what was wished before
  std::int32_t priority = -1;      ///< retain: 0 to 100; -1: not said
  std::uint32_t token_begin = 0, token_end = 0;  ///< pin, retain: of the context; 0, 0: all of it, as it grows
  bool operator==(const session_verb&) const = default;
};

struct verb_answer {
  std::string id;
  verb_outcome outcome = verb_outcome::accepted;
  std::string detail;                ///< why it was clipped, rejected or missing
  std::uint32_t blocks_freed = 0;    ///< compact, die: blocks freed at once, descendants included
  bool operator==(const verb_answer&) const = default;
};

struct session_info {
  session_id id, parent;
  model_id model;
  session_state state = session_state::idle;
  std::uint32_t incarnation = 1;     ///< grows each time a dead session is spawned anew
  std::uint32_t turns = 0;
  std::uint32_t children = 0;        ///< alive
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;  ///< over all turns
  std::uint32_t context_tokens = 0;  ///< of the last main prompt that was answered, and its answer; 0: there was none
  std::int64_t created_ms = 0, used_ms = 0;  ///< Unix time
  std::vector<std::string> paused_on;        ///< tool names, while tool_paused
  std::vector<std::uint32_t> role_tokens;    ///< of the last main prompt, by core::block_role; empty: it did not say
  cache_miss miss;                           ///< of the last main turn
  bool operator==(const session_info&) const = default;
};

struct session_listing { std::vector<session_info> sessions; bool operator==(const session_listing&) const = default; };

/// The directory tells a parent of its new child; the child's handle travels beside it.
struct session_child { session_id id; bool operator==(const session_child&) const = default; };

/// A session tells its directory what is worth remembering over a restart.
struct session_record { session_info info; bool operator==(const session_record&) const = default; };
/// What a verb wished kept, as it outlives the process.
struct kept_wish {
  std::uint32_t token_begin = 0, token_end = 0;  ///< 0, 0: all of the context
  std::uint8_t rank = 0;
  std::int64_t until_ms = 0;                     ///< Unix time
  bool operator==(const kept_wish&) const = default;
};
/// All that verbs have wished for a session's context; the newest replaces those before. Told to the directory when it changes.
struct intent_record {
  session_id id;
  std::uint32_t incarnation = 0;
  std::uint64_t generation = 0;  ///< no holder has been told a later one
  std::vector<kept_wish> wishes;
  bool operator==(const intent_record&) const = default;
};
/// A session has ended; its actor is gone after this.
struct session_gone { session_id id; bool operator==(const session_gone&) const = default; };

}  // namespace troupe
