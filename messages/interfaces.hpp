// The catalogue of typed actor interfaces: who may be told what. Operating errors travel as caf::error made of an errc
// (messages/errors.hpp). Types are registered in messages/types.hpp; schemas are in the *.capnp files.
//
// Narrow interfaces (…_sink, …_kin, …_registry) name the part of an actor that a peer may use, and break cycles.
#pragma once

#include <caf/typed_actor.hpp>

#include "messages/lifecycle.hpp"
#include "messages/routing.hpp"
#include "messages/service.hpp"
#include "messages/turn.hpp"
#include "messages/types.hpp"
#include "messages/work.hpp"

namespace troupe {

/// Where the events of a turn go: a gateway connection. It cancels by `turn_cancel`, and by dying.
using turn_sink_actor = caf::typed_actor<caf::reacts_to<turn_started>, caf::reacts_to<turn_delta>, caf::reacts_to<turn_finished>>;

/// Where a worker streams one sequence to: a session.
using sequence_sink_actor = caf::typed_actor<caf::reacts_to<sequence_progress>>;

/// A session as its parent sees it.
using session_kin_actor = caf::typed_actor<caf::replies_to<session_verb>::with<verb_answer>>;

/// One agent. Answers a turn with its id once it is accepted; everything after that goes to the sink.
using session_actor = caf::typed_actor<
    caf::replies_to<turn_request, turn_sink_actor>::with<request_id>, caf::reacts_to<turn_cancel>,
    caf::replies_to<session_verb>::with<verb_answer>, caf::replies_to<session_find>::with<session_info>,
    caf::reacts_to<session_child, session_kin_actor>, caf::reacts_to<sequence_progress>>;

/// The directory as its sessions see it.
using session_registry_actor =
    caf::typed_actor<caf::reacts_to<session_record>, caf::reacts_to<intent_record>, caf::reacts_to<session_gone>>;

/// session id -> session. `session_spawn` finds or spawns; `session_find` answers not_found. A verb is handed on to its session.
using session_directory_actor = caf::typed_actor<
    caf::replies_to<session_spawn>::with<session_info, session_actor>, caf::replies_to<session_find>::with<session_info>,
    caf::replies_to<session_list>::with<session_listing>, caf::replies_to<session_verb>::with<verb_answer>,
    caf::replies_to<drain_request>::with<drain_done>, caf::reacts_to<session_record>, caf::reacts_to<intent_record>,
    caf::reacts_to<session_gone>>;

/// Where a worker announces its blocks and its load.
using shard_sink_actor = caf::typed_actor<caf::reacts_to<block_events>, caf::reacts_to<load_report>>;

/// One device. Answers an admit with its id once the sequence is queued.
using worker_actor = caf::typed_actor<
    caf::replies_to<admit_request, sequence_sink_actor>::with<request_id>, caf::reacts_to<sequence_cancel>,
    caf::replies_to<turn_outcome>::with<pause_forecast>, caf::reacts_to<owner_forget>,
    caf::replies_to<owner_intent>::with<intent_applied>,
    caf::replies_to<owner_release>::with<owner_released>, caf::replies_to<owner_demote>::with<owner_demoted>,
    caf::replies_to<prefetch_request>::with<prefetch_done>, caf::replies_to<worker_status_request>::with<worker_status>,
    caf::reacts_to<shard_joined, shard_sink_actor>, caf::reacts_to<snapshot_request>>;

/// The blocks of one model in one tier of a node. What moves blocks in and out of it is local to its process (actors/tier_messages.hpp).
using tier_actor = caf::typed_actor<
    caf::replies_to<owner_release>::with<owner_released>, caf::replies_to<tier_status_request>::with<tier_status>,
    caf::reacts_to<shard_joined, shard_sink_actor>, caf::reacts_to<snapshot_request>>;

/// A part of the prefix index, and the queue before the workers.
using router_shard_actor = caf::typed_actor<
    caf::replies_to<route_request>::with<route_grant, worker_actor>, caf::reacts_to<route_end>,
    caf::reacts_to<worker_joined, worker_actor>, caf::reacts_to<tier_joined, tier_actor>, caf::reacts_to<block_events>, caf::reacts_to<load_report>>;

using template_renderer_actor = caf::typed_actor<caf::replies_to<render_request>::with<render_result>>;

using trace_actor = caf::typed_actor<caf::reacts_to<turn_record>, caf::reacts_to<lifecycle_record>, caf::reacts_to<pause_record>,
                                     caf::replies_to<metrics_request>::with<metrics_text>>;

/// The root of a node's supervision tree.
using node_actor = caf::typed_actor<
    caf::replies_to<directory_request>::with<session_directory_actor>, caf::replies_to<node_status_request>::with<node_status>,
    caf::replies_to<metrics_request>::with<metrics_text>, caf::replies_to<drain_request>::with<drain_done>>;

}  // namespace troupe
