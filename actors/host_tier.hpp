// The blocks of one model in the host memory of this process: gives workers room for copies and copies to read, and announces to the
// router shards what it has. What it lacks it looks for in the stores below, the nearest first; what is used again it puts there. A worker
// or a store that ends gives back what it had; its thread has finished its copies by then.
#pragma once

#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>

#include "actors/store_tier_messages.hpp"
#include "actors/tier_messages.hpp"
#include "engine/core/host_pool.hpp"
#include "engine/core/store_loader.hpp"

namespace troupe::actors {

struct host_tier_setup {
  worker_id tier;  ///< its number among the holders
  model_id model;
  std::uint64_t epoch = 0;
  core::host_pool_options pool;
  core::offload_rule offload = core::offload_rule::write_through;  ///< of the workers
};

/// The deadline of a question or of a put may have passed.
struct host_tier_tick {};

using host_tier_inside =
    host_tier_actor::extend<caf::reacts_to<stores_below>, caf::reacts_to<core::store_put_done>, caf::reacts_to<core::store_found>,
                            caf::reacts_to<core::store_got>, caf::reacts_to<host_tier_tick>>;

struct host_tier_client {
  core::host_pool::client_id id = 0;
  tier_client_actor handle;
};

struct host_tier_store {
  core::store_loader::store_id id = 0;
  store_tier_actor handle;
};

/// What the stores write, or may write still.
struct host_tier_put {
  std::uint64_t transfer = 0;
  core::instant due{0};
  std::vector<caf::actor_addr> owing;  ///< stores that are not done with it
  bool is_complete = true;             ///< as far as they have answered
};

struct host_tier_stores {
  std::vector<host_tier_store> below;  ///< the nearest first
  core::store_loader::store_id seen = 0;
  std::unique_ptr<core::store_loader> loader;
  std::optional<host_tier_put> put;      ///< under way
  std::vector<host_tier_put> given_up;   ///< a store that owes one is given no further put, so there are no more of them than stores
  std::optional<core::instant> tick_at;
};

struct host_tier_state {
  static inline const char* name = "host_tier";
  host_tier_setup setup;
  std::unique_ptr<core::host_pool> pool;
  std::map<caf::actor_addr, host_tier_client> clients;
  core::host_pool::client_id clients_seen = 0;
  std::map<caf::actor_addr, shard_sink_actor> shards;
  std::uint64_t events_announced = 0;
  host_tier_stores stores;
};

using host_tier_pointer = host_tier_inside::stateful_pointer<host_tier_state>;
host_tier_inside::behavior_type host_tier(host_tier_pointer self, host_tier_setup setup);
/// For a handler that says what happens now.
core::host_pool& pool_of(host_tier_pointer self);
core::store_loader& loader_of(host_tier_pointer self);

// the stores below (host_tier_stores.cpp)
/// Sends what the loader has for stores and workers, and comes back at the next deadline.
void pass_on(host_tier_pointer self);
/// Its blocks, its loads, and what the stores have of it alone.
owner_released release_blocks(host_tier_pointer self, const owner_release& release);
void change_stores(host_tier_pointer self, const std::vector<store_tier_actor>& handles);
/// Nothing happens when the dead is no store.
void drop_store(host_tier_pointer self, const caf::actor_addr& dead);
/// By its address; nothing for any other actor.
std::optional<core::store_loader::store_id> store_that_says(host_tier_pointer self);
void put_more(host_tier_pointer self);
/// Asks for the end of a put whose time is up.
void give_up_late_put(host_tier_pointer self);
void take_put_done(host_tier_pointer self, const core::store_put_done& done);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::host_tier_tick)
