// The smallest router there is: each turn goes at once to the next worker of its model. It keeps no index and lets nobody wait, which
// suits a node with one worker per model. The README walks through it as the example of a behaviour.
#pragma once

#include <caf/stateful_actor.hpp>
#include <map>
#include <vector>

#include "actors/router_shard.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

struct direct_router_state {
  struct member {
    worker_id id;
    worker_actor handle;
  };
  static inline const char* name = "direct_router";
  std::map<model_id, std::vector<member>> workers;
  std::size_t granted = 0;
};

router_shard_actor::behavior_type direct_router(router_shard_actor::stateful_pointer<direct_router_state> self);

}  // namespace troupe::actors
