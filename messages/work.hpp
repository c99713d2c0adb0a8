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

/// Admits one sequence; safe to repeat for one id. The sink's handle travels beside it; the worker cancels when the sink dies.
struct admit_request {
  request_id id;
  std::vector<token_id> tokens;             ///< the prompt, then what was generated elsewhere before
  std::uint32_t continued = 0;              ///< how many of them were generated
  std::vector<core::block_identity> chain;  ///< of the full blocks of `tokens`
  std::uint64_t scope_seed = 0;             ///< seed of the chain's block_hasher
  owner_id owner;
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

/// The owner died or gave up its history: free what nobody else shares. `keep_stored`: it only rests, disk and remote may keep theirs.
struct owner_release { owner_id owner; bool keep_stored = false; bool operator==(const owner_release&) const = default; };
struct owner_released { std::uint32_t blocks_freed = 0; bool operator==(const owner_released&) const = default; };

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

struct worker_status_request { bool operator==(const worker_status_request&) const = default; };
struct worker_status {
  worker_id worker;
  model_id model;
  std::uint64_t epoch = 0;
  std::uint32_t blocks_total = 0, blocks_free = 0, blocks_leased = 0, blocks_cached = 0;
  std::uint64_t blocks_stored = 0, blocks_evicted = 0, blocks_freed_by_death = 0, hash_mismatches = 0;
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
  std::uint64_t blocks_stored = 0, blocks_evicted = 0, blocks_freed_by_death = 0, hash_mismatches = 0;
  std::uint64_t blocks_read = 0;     ///< handed to workers
  std::uint64_t blocks_refused = 0;  ///< offered and neither held nor taken
  std::uint64_t blocks_failed = 0;   ///< damaged, unreachable, or asked of a store that did not answer
  std::uint64_t blocks_recomputed = 0;  ///< a store had them, but computing them was faster
  std::string integrity;             ///< empty when check_integrity() finds nothing
  bool operator==(const tier_status&) const = default;
};

}  // namespace troupe
