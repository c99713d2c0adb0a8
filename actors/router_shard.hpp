// Answers which worker takes a turn. Everything it decides is in core::route_queue; here are the promises, the workers' handles
// and the monitors. Every accepted route_request is answered exactly once: by a grant, a refusal, or the end of this actor.
#pragma once

#include <caf/stateful_actor.hpp>
#include <optional>
#include <string>
#include <unordered_map>

#include "actors/promise_table.hpp"
#include "engine/core/route_queue.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// While turns wait or hold leases: deadlines are looked at.
struct router_tick {};

using router_shard_inside = router_shard_actor::extend<caf::reacts_to<router_tick>>;

struct router_setup {
  std::uint32_t shard = 0;
  core::route_queue_options queue;  ///< the policy's name is what `[router] behaviour` says
};

struct router_shard_state {
  static inline const char* name = "router_shard";
  std::uint32_t shard = 0;
  std::optional<core::route_queue> queue;
  promise_table<request_id, route_grant, worker_actor> promises;
  std::unordered_map<worker_id, worker_actor> workers;
  std::unordered_map<worker_id, tier_actor> tiers;
  bool tick_pending = false;
};

/// An unknown policy ends the actor with invalid_request.
router_shard_inside::behavior_type router_shard(router_shard_inside::stateful_pointer<router_shard_state> self, router_setup setup);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::router_tick)
