// The blocks of one model in the host memory of this process: gives workers room for copies and copies to read, and announces to the
// router shards what it has. What it lacks it looks for in the stores below, the nearest first; what is used again it puts there. A worker
// that ends gives back what it had; its thread has finished its copies by then.
#pragma once

#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>

#include "actors/store_tier_messages.hpp"
#include "actors/tier_messages.hpp"
#include "engine/core/host_pool.hpp"

namespace troupe::actors {

struct host_tier_setup {
  worker_id tier;  ///< its number among the holders
  model_id model;
  std::uint64_t epoch = 0;
  core::host_pool_options pool;
};

using host_tier_inside = host_tier_actor::extend<caf::reacts_to<stores_below>, caf::reacts_to<core::store_put_done>,
                                                 caf::reacts_to<core::store_found>, caf::reacts_to<core::store_got>>;

/// A question of a worker that waits for the stores.
struct host_tier_load {
  core::host_pool::client_id client = 0;
  tier_client_actor answer_to;
  core::lease_request request;
  std::size_t store = 0;  ///< that was asked last
  bool is_abandoned = false;  ///< its owner has died meanwhile
};

struct host_tier_stores {
  std::vector<store_tier_actor> handles;
  std::map<std::uint64_t, host_tier_load> loads;
  std::uint64_t loads_seen = 0;
  std::uint64_t putting = 0;            ///< the transfer under way
  std::vector<caf::actor_addr> owing;   ///< stores that have not written it yet
  bool is_put_complete = true;          ///< as far as they have answered
};

struct host_tier_state {
  static inline const char* name = "host_tier";
  host_tier_setup setup;
  std::unique_ptr<core::host_pool> pool;
  std::map<caf::actor_addr, core::host_pool::client_id> clients;
  core::host_pool::client_id clients_seen = 0;
  std::map<caf::actor_addr, shard_sink_actor> shards;
  std::uint64_t events_announced = 0;
  host_tier_stores stores;
};

using host_tier_pointer = host_tier_inside::stateful_pointer<host_tier_state>;
host_tier_inside::behavior_type host_tier(host_tier_pointer self, host_tier_setup setup);
/// For a handler that says what happens now.
core::host_pool& pool_of(host_tier_pointer self);

// the stores below (host_tier_stores.cpp)
/// Answers the worker, at once or when the stores have been asked.
void answer_lease(host_tier_pointer self, host_tier_load asked);
/// Its blocks, its loads, and what the stores have of it alone.
owner_released release_blocks(host_tier_pointer self, const owner_release& release);
void change_stores(host_tier_pointer self, std::vector<store_tier_actor> handles);
void put_more(host_tier_pointer self);
void take_put_done(host_tier_pointer self, const core::store_put_done& done);
void take_found(host_tier_pointer self, const core::store_found& found);
void take_got(host_tier_pointer self, const core::store_got& got);

}  // namespace troupe::actors
