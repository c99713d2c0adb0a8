// Registers every type that an actor of ours may be told. Locally a message moves as it is; only when it leaves the process
// CAF calls inspect(), which carries it as one Cap'n Proto buffer (messages/wire.hpp). Names on the wire are these type names.
#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/fwd.hpp>
#include <caf/type_id.hpp>
#include <string>

#include "messages/lifecycle.hpp"
#include "messages/routing.hpp"
#include "messages/service.hpp"
#include "messages/turn.hpp"
#include "messages/work.hpp"

// One line per message type: the registration, inspect() and the crossing test are made from this list.
#define TROUPE_MESSAGE_TYPES(X) \
  X(request_id)                 \
  X(turn_request)               \
  X(turn_started)               \
  X(turn_delta)                 \
  X(turn_finished)              \
  X(turn_cancel)                \
  X(session_spawn)              \
  X(session_find)               \
  X(session_list)               \
  X(session_verb)               \
  X(verb_answer)                \
  X(session_info)               \
  X(session_listing)            \
  X(session_child)              \
  X(session_record)             \
  X(intent_record)              \
  X(session_gone)               \
  X(route_request)              \
  X(route_grant)                \
  X(route_end)                  \
  X(worker_joined)              \
  X(tier_joined)                \
  X(tier_status_request)        \
  X(tier_status)                \
  X(shard_joined)               \
  X(block_events)               \
  X(snapshot_request)           \
  X(load_report)                \
  X(admit_request)              \
  X(sequence_progress)          \
  X(sequence_cancel)            \
  X(turn_outcome)               \
  X(pause_forecast)             \
  X(owner_forget)               \
  X(owner_intent)               \
  X(intent_applied)             \
  X(owner_release)              \
  X(owner_released)             \
  X(owner_demote)               \
  X(owner_demoted)              \
  X(prefetch_request)           \
  X(prefetch_done)              \
  X(worker_status_request)      \
  X(worker_status)              \
  X(render_request)             \
  X(render_result)              \
  X(turn_record)                \
  X(lifecycle_record)           \
  X(pause_record)               \
  X(metrics_request)            \
  X(metrics_text)               \
  X(directory_request)          \
  X(node_status_request)        \
  X(node_status)                \
  X(drain_request)              \
  X(drain_done)

namespace troupe {

#define TROUPE_DECLARE_INSPECT(type)                      \
  caf::error inspect(caf::serializer& sink, type& value); \
  caf::error inspect(caf::deserializer& source, type& value);
TROUPE_MESSAGE_TYPES(TROUPE_DECLARE_INSPECT)
#undef TROUPE_DECLARE_INSPECT

#define TROUPE_NAME_MESSAGE(type) \
  inline std::string to_string(const type&) { return #type; }
TROUPE_MESSAGE_TYPES(TROUPE_NAME_MESSAGE)
#undef TROUPE_NAME_MESSAGE

/// Adds every message type to a system's configuration; call it before the system is made.
void register_message_types(caf::actor_system_config& config);

}  // namespace troupe
