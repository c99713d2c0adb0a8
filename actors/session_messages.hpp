// What sessions, their directory and the node tell each other beyond the catalogue. Local only: these never leave the process, so they
// have no schema.
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>
#include <map>
#include <utility>
#include <vector>

#include "messages/interfaces.hpp"

namespace troupe::actors {

/// Whom a session asks. Sent anew when the node has restarted one of them.
struct session_services {
  router_shard_actor router;
  template_renderer_actor renderer;
  trace_actor trace;
  std::vector<tier_actor> tiers;  ///< that may hold blocks of sessions here
};

/// An error that comes back for what was only told, as from a peer that cannot read it, is logged: nobody dies of it. Requests have arms
/// of their own. Call it after set_defaults. (To tell what would be answered, use caf::anon_send: self->anon_send names a sender in 0.17,
/// and the answer would come back as a message that nobody expects.)
void outlive_errors(caf::scheduled_actor* self, const std::string& name);

/// A child that dies asks its parent under which owner the begin of its prompts, which these workers hold, is to live on.
struct session_bequest {
  session_id child;
  std::vector<std::pair<worker_id, worker_actor>> workers;
};
struct session_heir {
  owner_id owner;
};
/// A session as its children see it, here.
using session_parent_actor = caf::typed_actor<caf::replies_to<session_bequest>::with<session_heir>>;

/// A session wakes itself: a deadline, a retry or the idle ttl is due.
struct session_tick {};

/// The directory has ended; its successor spawns sessions of its own. (A monitor on the directory would leave a trace there of each session
/// that ever lived: CAF forgets a monitor with whom it watches, not with who watches.)
struct session_orphaned {};

/// Take no new turns. Answered when none is running; `now` ends those that still are, each with the error draining.
struct session_drain {
  bool now = false;
};
struct session_drained {
  std::uint32_t turns_finished = 0, turns_told = 0;
};

/// A record, and what the directory needs beyond it: where a child should look for its parent's blocks, and how busy the node is.
struct session_activity {
  session_info info;
  bool has_worker = false;
  worker_id worker;
  std::uint32_t turns_running = 0;
};

struct directory_counts_request {};
struct directory_counts {
  std::map<session_state, std::uint64_t> sessions;  ///< the dead that are remembered included
  std::uint32_t turns_running = 0;
};

/// A session as its own process knows it.
using session_local_actor = session_actor::extend<caf::reacts_to<session_services>, caf::reacts_to<session_tick>, caf::reacts_to<session_orphaned>,
                                                  caf::replies_to<session_drain>::with<session_drained>,
                                                  caf::replies_to<session_bequest>::with<session_heir>>;
/// The directory as its sessions see it, here.
using session_home_actor = session_registry_actor::extend<caf::reacts_to<session_activity>>;

struct directory_tick {};
/// The directory as its node sees it.
using session_directory_local_actor =
    session_directory_actor::extend<caf::reacts_to<session_activity>, caf::reacts_to<session_services>, caf::reacts_to<directory_tick>,
                                    caf::replies_to<directory_counts_request>::with<directory_counts>>;

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_services)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_bequest)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_heir)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_orphaned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_drain)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::session_activity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::directory_counts_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::directory_counts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::directory_tick)
