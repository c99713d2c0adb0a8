// The blocks of one model in the host memory of this process: gives workers room for copies and copies to read, and announces to the
// router shards what it has. A worker that ends gives back what it had; its thread has finished its copies by then.
#pragma once

#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>

#include "actors/tier_messages.hpp"
#include "engine/core/host_pool.hpp"

namespace troupe::actors {

struct host_tier_setup {
  worker_id tier;  ///< its number among the holders
  model_id model;
  std::uint64_t epoch = 0;
  core::host_pool_options pool;
};

struct host_tier_state {
  static inline const char* name = "host_tier";
  host_tier_setup setup;
  std::unique_ptr<core::host_pool> pool;
  std::map<caf::actor_addr, core::host_pool::client_id> clients;
  core::host_pool::client_id clients_seen = 0;
  std::map<caf::actor_addr, shard_sink_actor> shards;
  std::uint64_t events_announced = 0;
};

host_tier_actor::behavior_type host_tier(host_tier_actor::stateful_pointer<host_tier_state> self, host_tier_setup setup);

}  // namespace troupe::actors
