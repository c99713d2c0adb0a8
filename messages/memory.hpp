// What a session tells holders of its blocks, a worker or a tier, beside its turns: how answers end, what it wishes kept, what it gives up.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/block_role.hpp"
#include "engine/core/retention/block_intents.hpp"
#include "engine/core/retention/retention_policy.hpp"
#include "messages/base/ids.hpp"

namespace troupe {

/// A pause between an answer that ended in tool calls and the turn that brings their results.
struct tool_pause {
  std::uint64_t tool = 0;        ///< a hash of the tools' names; 0: not known
  bool is_subagent = false;      ///< the session has a parent: pauses are learned apart
  std::int64_t expected_ms = -1; ///< what the harness expects; -1: it has not said
  std::int64_t took_ms = -1;     ///< once it is over; -1: there was none, or it goes on
  bool operator==(const tool_pause&) const = default;
};

/// How the answer to an admitted turn has ended, as its session understood it. Said again when more is known: the last word counts.
struct turn_outcome {
  request_id id;
  owner_id owner;
  core::turn_end end = core::turn_end::unknown;
  std::uint32_t prompt_tokens = 0, output_tokens = 0;
  tool_pause pause;  ///< that begins now, after tool calls
  std::vector<core::told_role> roles;  ///< of the answer's blocks that are not output, at most limits::told_roles_max
  bool is_side = false;  ///< beside the agent's own turns: says nothing of what the session does now
  bool operator==(const turn_outcome&) const = default;
};
/// What the worker has learned of such pauses, from their begin on: one in ten ends before `early_ms`, one in ten after `late_ms`.
struct pause_forecast {
  std::int64_t early_ms = -1, median_ms = -1, late_ms = -1;  ///< -1: nothing is known
  std::int64_t load_ms = -1;  ///< to bring the turn's context back from the tier below; -1: not measured
  bool operator==(const pause_forecast&) const = default;
};

/// The owner died or gave up its history: free what nobody else shares. `keep_stored`: it only rests, disk and remote may keep theirs.
struct owner_release {
  owner_id owner;
  bool keep_stored = false;
  core::eviction_cause cause = core::eviction_cause::death;
  owner_id heir{};                         ///< becomes an owner of `head` first
  std::vector<core::block_identity> head;  ///< what begins the owner's prompts, at most limits::bequest_blocks_max; empty: nothing is left to anybody
  bool operator==(const owner_release&) const = default;
};
struct owner_released { std::uint32_t blocks_freed = 0; bool operator==(const owner_released&) const = default; };

/// The owner has no more use for the end of a chain: these blocks, parents before children. Free what nobody else shares. Not answered.
struct owner_forget {
  owner_id owner;
  std::vector<core::block_identity> blocks;
  core::eviction_cause cause = core::eviction_cause::superseded;
  bool operator==(const owner_forget&) const = default;
};

/// What the owner alone holds on the device is the next to leave it. A tier below keeps its copies.
struct owner_demote { owner_id owner; bool operator==(const owner_demote&) const = default; };
struct owner_demoted { std::uint32_t blocks = 0; bool operator==(const owner_demoted&) const = default; };

/// Brings what tiers below hold of a prompt to the device, before a turn asks for it.
struct prefetch_request {
  request_id id;
  owner_id owner;
  std::vector<token_id> tokens;
  std::vector<core::block_identity> chain;  ///< of the full blocks of `tokens`
  std::uint64_t scope_seed = 0;             ///< seed of the chain's block_hasher
  std::uint32_t timeout_ms = 0;             ///< 0: none
  tenant_index tenant = 0;                  ///< that of the owner
  bool operator==(const prefetch_request&) const = default;
};
struct prefetch_done {
  request_id id;
  std::uint32_t blocks_onboarded = 0;
  std::uint32_t blocks_ready = 0;  ///< leading ones that are on the device now
  bool operator==(const prefetch_done&) const = default;
};

/// All that an owner wishes now: the newest generation replaces what was wished before. Blocks that are not there yet are remembered.
struct owner_intent {
  owner_id owner;
  std::uint64_t generation = 0;
  std::vector<core::retention_wish> wishes;
  std::vector<core::block_identity> chain;  ///< up to the last pinned block, for holders that know no sequences; empty: no pin
  bool operator==(const owner_intent&) const = default;
};
struct intent_applied {
  std::uint64_t generation = 0;      ///< that counts now
  std::uint32_t blocks_pinned = 0;   ///< in the whole pool
  std::uint32_t blocks_clipped = 0;  ///< of this intent's that are there and could not be pinned: the share for pins is full
  bool operator==(const intent_applied&) const = default;
};

}  // namespace troupe
