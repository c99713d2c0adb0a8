#include "actors/register.hpp"

#include <caf/all.hpp>

#include "actors/direct_router.hpp"
#include "engine/core/routing.hpp"

namespace troupe::actors {
namespace {

/// router_shard with one of the policies of engine/core.
router_factory routed_by(std::string policy) {
  return [policy = std::move(policy)](caf::actor_system& system, router_setup setup) -> router_shard_actor {
    setup.queue.policy = policy;
    return system.spawn(router_shard, std::move(setup));
  };
}

}  // namespace

void register_behaviours(behaviour_registry& registry) {
  for (auto policy : core::routing_policy_names()) registry.routers.add(std::string{policy}, routed_by(std::string{policy}));
  registry.routers.add("direct", [](caf::actor_system& system, router_setup) -> router_shard_actor { return system.spawn(direct_router); });
}

}  // namespace troupe::actors
