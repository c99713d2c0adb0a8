// The blocks of one model on this node's disk, over restarts. Detached: it waits for the disk between two messages, a millisecond at a
// time. Announces what it has to the router shards.
#pragma once

#include <caf/stateful_actor.hpp>
#include <deque>
#include <map>
#include <memory>

#include "actors/store_tier.hpp"
#include "engine/store/disk_store.hpp"

namespace troupe::actors {

struct disk_tier_setup {
  store_tier_setup about;
  store::disk_store_options store;
};

/// Something is on its way to or from the disk: look what has arrived.
struct disk_tier_work {};
/// Blocks expire and segments are reclaimed when nothing else happens, too.
struct disk_tier_tick {};

using disk_tier_inside = store_tier_actor::extend<caf::reacts_to<disk_tier_work>, caf::reacts_to<disk_tier_tick>>;

/// One block of a batch.
struct disk_operation {
  std::uint64_t batch = 0;
  std::size_t index = 0;
};

struct disk_tier_state {
  static inline const char* name = "disk_tier";
  disk_tier_setup setup;
  std::map<std::uint64_t, store_batch> batches;  ///< outlives the store, which waits at its end for what goes to and from their memory
  std::unique_ptr<store::disk_store> store;      ///< null: it could not be opened, which is tried again
  std::string problem;                           ///< why
  std::uint64_t batches_seen = 0, tickets_seen = 0;
  std::deque<disk_operation> puts, gets;  ///< bounded by their client: one put and limits::store_loads_max gets; gets go first
  std::map<store::store_ticket, disk_operation> active;
  std::map<caf::actor_addr, shard_sink_actor> shards;
  std::uint64_t events_announced = 0;
  bool work_pending = false;
};

disk_tier_inside::behavior_type disk_tier(disk_tier_inside::stateful_pointer<disk_tier_state> self, disk_tier_setup setup);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::disk_tier_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::disk_tier_tick)
