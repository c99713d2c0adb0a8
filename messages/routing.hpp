// What the router shard is asked and told: routes, block events, loads, and workers that come and go.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "messages/base/ids.hpp"

namespace troupe {

/// Which worker takes this turn? Answered when a worker is known and no other turn is computing the missing blocks.
struct route_request {
  request_id id;
  model_id model;
  std::vector<core::block_identity> chain;  ///< all full blocks of the prompt
  std::uint32_t prompt_tokens = 0;
  std::uint32_t output_tokens = 0;          ///< expected, 0: unknown
  std::int32_t priority = 0;
  std::uint32_t timeout_ms = 0;
  bool has_last_worker = false, has_parent_worker = false;
  worker_id last_worker, parent_worker;
  bool operator==(const route_request&) const = default;
};

/// The worker's handle travels beside this.
struct route_grant {
  request_id id;
  worker_id worker;
  std::uint32_t matched_blocks = 0;
  bool waited = false;  ///< another turn computed the prefix first
  bool operator==(const route_grant&) const = default;
};

/// The turn ended or was given up: its compute lease ends, or its place in the queue.
struct route_end { request_id id; bool operator==(const route_end&) const = default; };

/// Sent by the node for each worker it starts, with its handle beside it. A higher epoch replaces what was known.
struct worker_joined {
  worker_id worker;
  model_id model;
  std::uint64_t epoch = 0;
  std::uint32_t block_tokens = 0;
  bool operator==(const worker_joined&) const = default;
};
/// The shard introduces itself to a worker, which answers its sink with a snapshot, events and load reports from then on.
struct shard_joined { std::uint32_t shard = 0; bool operator==(const shard_joined&) const = default; };

/// A tier of a node for one model, said by the node with the tier's handle beside it. Numbered among the workers: no two holders of a
/// cluster share a number. A higher epoch replaces what was known.
struct tier_joined {
  worker_id tier;
  model_id model;
  std::uint64_t epoch = 0;
  std::vector<std::uint32_t> workers;  ///< numbers of those that can read it
  bool operator==(const tier_joined&) const = default;
};

/// Changes of a worker's or a tier's cache in order. `first` counts events of this epoch; a gap makes the shard ask for a snapshot.
struct block_events {
  worker_id worker;
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;
  std::vector<core::block_event> events;
  bool snapshot = false;  ///< replaces everything known; `first` is then the number of the next event
  bool operator==(const block_events&) const = default;
};

struct snapshot_request { worker_id worker; bool operator==(const snapshot_request&) const = default; };

struct load_report {
  worker_id worker;
  std::uint64_t epoch = 0;
  std::uint32_t running = 0, waiting = 0;
  std::uint32_t free_blocks = 0, evictable_blocks = 0;
  std::uint64_t prefill_tokens_waiting = 0;
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  double onboard_blocks_per_s = 0;  ///< 0: not measured
  bool operator==(const load_report&) const = default;
};

}  // namespace troupe
