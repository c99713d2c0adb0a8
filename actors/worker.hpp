// Owns one device: admits sequences, keeps the backend fed, streams tokens to the sessions and announces its blocks.
// The backend's threads reach it through a weak handle, so a worker that was ended is not kept alive by its own work; ending it
// (send_exit) waits for what is in flight, on its own thread.
#pragma once

#include <caf/stateful_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "actors/model_worker.hpp"
#include "actors/promise_table.hpp"
#include "actors/tier_messages.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// A step that the backend has finished. Never leaves the process.
struct ticket_done {
  ticket_id ticket;
  std::shared_ptr<const core::step_result> result;
};
/// While there is work: deadlines are looked at and the load is reported.
struct worker_tick {};

using worker_inside = worker_actor::extend<caf::reacts_to<ticket_done>, caf::reacts_to<worker_tick>, caf::reacts_to<tier_below>,
                                           caf::reacts_to<core::slot_grant>, caf::reacts_to<core::lease_grant>>;

/// Makes the device where the worker runs. A failure ends the worker with it.
using backend_factory = std::function<expected<std::unique_ptr<core::backend>>(core::backend::completion)>;

struct worker_setup {
  model_worker_options device;
  std::uint64_t block_bytes = 0;  ///< as the backend's traits will say
  std::uint64_t layout = 0;       ///< what these bytes mean; 0: nothing that another process could use
  backend_factory make_backend;
  bool feeds_a_device = true;  ///< which must not wait until other actors have had their turn: the worker has a thread of its own
};

/// Which sessions are streamed to. One monitor per session, however many sequences it has here.
struct worker_sinks {
  std::unordered_map<request_id, sequence_sink_actor> of;
  std::map<caf::actor_addr, std::set<request_id>> sequences;
};

struct worker_state {
  static inline const char* name = "worker";
  worker_sinks sinks;
  promise_table<request_id, prefetch_done> prefetches;
  std::map<caf::actor_addr, shard_sink_actor> shards;
  host_tier_actor tier;  ///< null: none below
  bool tick_pending = false, was_idle = true;
  backend_factory make_backend;  ///< holds what backends share: it goes after the device
  std::unique_ptr<model_worker> device;
};

worker_inside::behavior_type worker(worker_inside::stateful_pointer<worker_state> self, worker_setup setup);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::ticket_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::worker_tick)
