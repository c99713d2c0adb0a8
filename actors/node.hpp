// The root of one process's actors: spawns them from prepared parts, restarts what dies, and ends them all, however it ends itself.
// Beyond the restart budget it gives up with worker_lost; main turns that into an exit code.
#pragma once

#include <memory>
#include <vector>

#include "actors/node_parts.hpp"
#include "actors/session_messages.hpp"
#include "actors/supervisor.hpp"

namespace troupe::actors {

/// The time for the children to end is up.
struct node_tick {};

/// The handle of a running child, null where there is none. Tests of supervision ask for it to end an actor behind its peers' backs;
/// nothing else should, because a handle is stale after the next restart.
struct child_request {
  enum class kind : std::uint8_t { session_directory, router_shard, worker, host_tier, store_tier, template_renderer, trace } what = kind::worker;
  std::size_t index = 0;  ///< of a worker or a tier, in the config's order
};

/// The node in its own process: it hands a rendering on to whichever renderer it has now.
using node_local_actor =
    node_actor::extend<caf::replies_to<render_request>::with<render_result>, caf::reacts_to<node_tick>,
                       caf::replies_to<child_request>::with<caf::strong_actor_ptr>>;

struct node_worker {
  worker_setup setup;  ///< of the current incarnation
  worker_actor handle;
};

struct node_tier {
  host_tier_setup setup;  ///< of the current incarnation
  host_tier_actor handle;
};

/// A disk or remote tier.
struct node_store {
  std::variant<disk_tier_setup, remote_tier_setup> setup;  ///< of the current incarnation
  store_tier_actor handle;

  [[nodiscard]] store_tier_setup& about();
};

/// Owns the children: they end with it, in whatever way the node ends.
struct node_children {
  node_children() = default;
  node_children(const node_children&) = delete;
  node_children& operator=(const node_children&) = delete;
  ~node_children() { end(caf::exit_reason::user_shutdown); }

  session_services services;
  session_directory_local_actor directory;
  std::vector<node_worker> workers;
  std::vector<node_tier> tiers;
  std::vector<node_store> stores;  ///< of one model the nearest first

  [[nodiscard]] std::vector<caf::actor> all() const;
  [[nodiscard]] caf::strong_actor_ptr find(const child_request& wanted) const;
  void end(caf::exit_reason why);
};

struct node_state {
  node_parts parts;
  node_children children;
  restart_budget restarts;
  bool draining = false, ending = false;
  std::size_t children_ending = 0;
  drain_done drained;
  std::vector<caf::typed_response_promise<drain_done>> drain_promises;
  const char* name = "node";
};

using node_pointer = node_local_actor::stateful_pointer<node_state>;
node_local_actor::behavior_type node(node_pointer self, node_parts parts);
node_local_actor spawn_node(caf::actor_system& system, node_parts parts);

// the tiers (node_tiers.cpp)
void start_tiers(node_pointer self);
/// Empty: it was none of them.
std::string_view restart_tier(node_pointer self, const caf::actor_addr& address);
/// To a router that is new.
void introduce_tiers(node_pointer self);
/// Tells a worker that is new of the tier of its model.
void connect_worker(node_pointer self, const node_worker& worker);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::child_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::node_tick)
