// The actors behind a connection: one per turn and one per question, each as long as its request. The real actor_link.
#pragma once

#include <caf/fwd.hpp>

#include "gateway/strand.hpp"
#include "messages/interfaces.hpp"

namespace troupe::gateway {

/// A node as its gateway sees it: it renders too, with whichever renderer it has now.
using gateway_node_actor = node_actor::extend<caf::replies_to<render_request>::with<render_result>>;

/// Links ask `node` for the session directory, and again after it went down.
actor_link_factory make_actor_links(caf::actor_system& system, gateway_node_actor node);

/// What the actors of one connection share; all of them run on its strand.
struct shared_link {
  caf::actor_system& system;
  gateway_node_actor node;
  session_directory_actor directory;  ///< as last learnt, may be null or dead
  strand where;
  io_context_ptr io;
};

std::unique_ptr<actor_call> start_turn_call(std::shared_ptr<shared_link> link, session_spawn spawn, turn_request turn, turn_events events);
std::unique_ptr<actor_call> start_control_call(std::shared_ptr<shared_link> link, control_request request,
                                               std::chrono::milliseconds timeout, control_answers answers);

}  // namespace troupe::gateway
