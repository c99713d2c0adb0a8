// What a session asks of a worker and what the worker streams back.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/sampling.hpp"
#include "engine/core/scheduler.hpp"
#include "messages/base/errc.hpp"
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

/// Admits one sequence; safe to repeat for one id. The sink's handle travels beside it; the worker cancels when the sink dies.
struct admit_request {
  request_id id;
  std::vector<token_id> tokens;             ///< the prompt, then what was generated elsewhere before
  std::uint32_t continued = 0;              ///< how many of them were generated
  std::vector<core::block_identity> chain;  ///< of the full blocks of `tokens`
  std::uint64_t scope_seed = 0;             ///< seed of the chain's block_hasher
  owner_id owner;
  core::turn_input input = core::turn_input::unknown;
  tool_pause paused;                        ///< the one that this turn ends
  core::sampling_params sampling;
  std::uint32_t tokens_max = 1, tokens_min = 0;
  std::vector<token_id> stop_tokens;
  std::int32_t priority = 0;
  std::uint32_t timeout_ms = 0;             ///< 0: none
  bool operator==(const admit_request&) const = default;
};

/// Events of one sequence, batched: tokens in order, an end at most once and last.
struct sequence_progress {
  request_id id;
  bool started = false;                          ///< prompt_tokens and cached_tokens are set
  std::uint32_t prompt_tokens = 0, cached_tokens = 0;
  std::uint32_t first_index = 0;                 ///< of `tokens` within the output
  std::vector<core::sampled_token> tokens;
  bool ended = false;
  core::finish_reason reason = core::finish_reason::stop;
  failure error;
  bool operator==(const sequence_progress&) const = default;
};

struct sequence_cancel { request_id id; bool operator==(const sequence_cancel&) const = default; };

/// How the answer to an admitted turn has ended, as its session understood it. Said again when more is known: the last word counts.
struct turn_outcome {
  request_id id;
  owner_id owner;
  core::turn_end end = core::turn_end::unknown;
  std::uint32_t output_tokens = 0;
  tool_pause pause;  ///< that begins now, after tool calls
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
  bool operator==(const prefetch_request&) const = default;
};
struct prefetch_done {
  request_id id;
  std::uint32_t blocks_onboarded = 0;
  std::uint32_t blocks_ready = 0;  ///< leading ones that are on the device now
  bool operator==(const prefetch_done&) const = default;
};

/// Of `blocks_removed`.
inline std::uint64_t removed_by(const std::vector<std::uint64_t>& removed, core::eviction_cause cause) {
  const auto at = static_cast<std::size_t>(cause);
  return at < removed.size() ? removed[at] : 0;
}

struct worker_status_request { bool operator==(const worker_status_request&) const = default; };
struct worker_status {
  worker_id worker;
  model_id model;
  std::uint64_t epoch = 0;
  std::uint32_t blocks_total = 0, blocks_free = 0, blocks_leased = 0, blocks_cached = 0;
  std::uint64_t blocks_stored = 0, hash_mismatches = 0;
  std::vector<std::uint64_t> blocks_removed;  ///< by core::eviction_cause
  std::uint32_t running = 0, waiting = 0;
  std::uint64_t steps = 0, preemptions = 0, tokens_computed = 0, tokens_reused = 0, tokens_sampled = 0;
  std::uint64_t blocks_onboarded = 0, blocks_offloaded = 0;
  std::uint64_t blocks_recomputed = 0;  ///< a tier had them, but computing them was faster
  std::uint64_t transfer_failures = 0;
  std::string numeric_class;
  std::string integrity;  ///< empty when check_integrity() finds nothing
  bool operator==(const worker_status&) const = default;
};

struct tier_status_request { bool operator==(const tier_status_request&) const = default; };
/// One tier of a node for one model.
struct tier_status {
  worker_id tier;
  model_id model;
  std::string kind;  ///< host
  std::uint64_t epoch = 0;
  std::uint64_t bytes_total = 0;
  std::uint32_t blocks_total = 0, blocks_free = 0, blocks_leased = 0, blocks_cached = 0;
  std::uint64_t blocks_stored = 0, hash_mismatches = 0;
  std::vector<std::uint64_t> blocks_removed;  ///< by core::eviction_cause
  std::uint64_t blocks_read = 0;     ///< handed to workers
  std::uint64_t blocks_refused = 0;  ///< offered and neither held nor taken
  std::uint64_t blocks_failed = 0;   ///< damaged, unreachable, or asked of a store that did not answer
  std::uint64_t blocks_recomputed = 0;  ///< a store had them, but computing them was faster
  std::string integrity;             ///< empty when check_integrity() finds nothing
  bool operator==(const tier_status&) const = default;
};

}  // namespace troupe
