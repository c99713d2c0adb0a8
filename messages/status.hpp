// How workers and tiers are: what /health and /metrics show.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/retention/residency.hpp"
#include "messages/base/ids.hpp"

namespace troupe {

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
  std::uint32_t blocks_total = 0, blocks_free = 0, blocks_leased = 0, blocks_cached = 0, blocks_pinned = 0;
  std::uint64_t blocks_stored = 0, hash_mismatches = 0;
  std::vector<std::uint64_t> blocks_removed;  ///< by core::eviction_cause
  std::uint32_t running = 0, waiting = 0;
  std::uint64_t steps = 0, preemptions = 0, tokens_computed = 0, tokens_reused = 0, tokens_sampled = 0;
  std::uint64_t blocks_onboarded = 0, blocks_offloaded = 0;
  std::uint64_t blocks_recomputed = 0;  ///< a tier had them, but computing them was faster
  std::uint64_t transfer_failures = 0;
  std::uint32_t sessions_waiting = 0;           ///< that own nothing here yet, for room beside those at work
  std::uint64_t session_waits_by_room = 0, session_waits_by_bound = 0;  ///< by what ended them
  std::uint64_t blocks_inherited = 0;         ///< handed over at a death instead of freed
  std::vector<std::uint32_t> blocks_by_role;  ///< cached ones, by core::block_role
  std::vector<std::string> tenants;               ///< names; empty: blocks are not counted by tenant
  std::vector<std::uint32_t> blocks_by_tenant;    ///< parallel; private ones too
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
  std::uint32_t blocks_total = 0, blocks_free = 0, blocks_leased = 0, blocks_cached = 0, blocks_pinned = 0;
  std::uint64_t blocks_stored = 0, hash_mismatches = 0;
  std::vector<std::uint64_t> blocks_removed;  ///< by core::eviction_cause
  std::uint64_t blocks_read = 0;     ///< handed to workers
  std::uint64_t blocks_refused = 0;  ///< offered and neither held nor taken
  std::uint64_t blocks_failed = 0;   ///< damaged, unreachable, or asked of a store that did not answer
  std::uint64_t blocks_recomputed = 0;  ///< a store had them, but computing them was faster
  std::uint64_t blocks_clipped = 0;     ///< could not be pinned: the share for pins is full
  std::uint64_t blocks_given_up = 0;    ///< of puts that a store did not finish in time
  std::vector<std::uint32_t> blocks_by_role;  ///< cached ones, by core::block_role; empty: not known
  std::vector<std::string> tenants;               ///< names; empty: blocks are not counted by tenant
  std::vector<std::uint32_t> blocks_by_tenant;    ///< parallel; private ones too
  std::string integrity;             ///< empty when check_integrity() finds nothing
  bool operator==(const tier_status&) const = default;
};

}  // namespace troupe
