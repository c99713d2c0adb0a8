// One agent as an actor. It owns the agent's conversation with the rest of the node: turns run through it, verbs and time change its
// state (session_life), and what its workers cache for it is released by it. Spawned by the directory, and ended by itself.
#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "actors/model_registry.hpp"
#include "actors/session_messages.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {

struct session_setup {
  session_info info;  ///< with the counters of an earlier life; its state is idle, or dormant after a restart
  intent_record intent;  ///< what it wished in an earlier life
  session_home_actor home;
  session_services services;
  std::shared_ptr<const model_registry> models;
  std::string tenant = "default";  ///< its blocks meet no other's
  tenant_index tenant_number = 0;  ///< the same, for counts
  std::chrono::milliseconds idle_ttl{3'600'000};
  std::size_t turns_max = limits::turns_per_session_max;
  std::int64_t unix_offset_ms = 0;  ///< Unix time minus the actor clock
  std::optional<worker_id> parent_worker;
  session_parent_actor parent;  ///< null: it has none, or none that is awake
};

struct session_actor_state;
using session_pointer = session_local_actor::stateful_pointer<session_actor_state>;
session_local_actor::behavior_type session(session_pointer self, session_setup setup);
/// Spawning needs the whole state; this keeps it out of the directory's sight.
session_local_actor spawn_session(caf::actor_system& system, session_setup setup);

}  // namespace troupe::actors
