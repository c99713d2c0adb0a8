// The blocks of one model in Redis, shared by the nodes of a cluster. Detached: a batch may take as long as its deadline, while the host
// tier goes on. What is there is asked for when it is wanted; nothing is announced, since other nodes write it too.
#pragma once

#include <caf/stateful_actor.hpp>

#include "actors/store_tier.hpp"
#include "engine/store/remote_store.hpp"

namespace troupe::actors {

struct remote_tier_setup {
  store_tier_setup about;
  store::remote_store_options store;
};

struct remote_tier_state {
  static inline const char* name = "remote_tier";
  remote_tier_setup setup;
  std::unique_ptr<store::remote_store> store;
  std::uint64_t blocks_not_found_out = 0;  ///< whether it has them: it could not be asked
};

store_tier_actor::behavior_type remote_tier(store_tier_actor::stateful_pointer<remote_tier_state> self, remote_tier_setup setup);

}  // namespace troupe::actors
