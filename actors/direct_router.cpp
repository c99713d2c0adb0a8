#include "actors/direct_router.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using self_pointer = router_shard_actor::stateful_pointer<direct_router_state>;

caf::result<route_grant, worker_actor> grant(direct_router_state& state, const route_request& request) {
  const auto found = state.workers.find(request.model);
  if (found == state.workers.end() || found->second.empty())
    return make_error(errc::not_ready, "no worker serves " + request.model.value);
  const auto& chosen = found->second[state.granted++ % found->second.size()];
  return {route_grant{request.id, chosen.id, 0, false}, chosen.handle};
}

void join(self_pointer self, const worker_joined& joined, const worker_actor& worker) {
  auto& members = self->state.workers[joined.model];
  std::erase_if(members, [&](const auto& each) { return each.id == joined.worker; });
  members.push_back({joined.worker, worker});
  self->monitor(caf::actor_cast<caf::actor>(worker));
}

void forget(direct_router_state& state, const caf::actor_addr& dead) {
  for (auto& [model, members] : state.workers) std::erase_if(members, [&](const auto& each) { return each.handle.address() == dead; });
}

}  // namespace

router_shard_actor::behavior_type direct_router(self_pointer self) {
  set_defaults(self, "direct_router");
  self->set_down_handler([self](const caf::down_msg& down) { forget(self->state, down.source); });
  return {
      [self](const route_request& request) { return grant(self->state, request); },
      [](const route_end&) { /* it grants no leases */ },
      [self](const worker_joined& joined, const worker_actor& worker) { join(self, joined, worker); },
      [](const tier_joined&, const tier_actor&) { /* what a tier holds does not change whose turn it is */ },
      [](const block_events&) { /* it keeps no index, and never asks a worker for its blocks */ },
      [](const load_report&) { /* it takes turns */ },
  };
}

}  // namespace troupe::actors
