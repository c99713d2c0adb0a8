// Restarting one child is three steps: spawn it, watch it, and tell those who knew the old one. A new worker has a higher epoch, so late
// words of the old one are recognised; a new router is introduced to all workers; a new directory finds its sessions in the journal.
#include "actors/node.hpp"

#include <spdlog/spdlog.h>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/actor_defaults.hpp"
#include "actors/node_report.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

bool own_threads(node_pointer self) { return self->state.parts.placement == node_parts::threads::own; }

template <class Handle>
Handle watched(node_pointer self, Handle handle) {
  self->monitor(caf::actor_cast<caf::actor>(handle));
  return handle;
}

void start_trace(node_pointer self) {
  auto& system = self->system();
  const auto& setup = self->state.parts.trace;
  // Detached where it writes a file.
  self->state.children.services.trace =
      watched(self, own_threads(self) && !setup.path.empty() ? system.spawn<caf::detached>(trace, setup) : system.spawn(trace, setup));
}

void start_renderer(node_pointer self) {
  self->state.children.services.renderer =
      watched(self, template_renderer_actor{self->system().spawn(template_renderer, self->state.parts.renderer)});
}

void introduce(node_pointer self, const node_worker& each) {
  const auto& device = each.setup.device;
  self->send(self->state.children.services.router, worker_joined{device.worker, device.model, device.epoch, device.pool.block_tokens},
             each.handle);
}

void start_router(node_pointer self) {
  const auto& parts = self->state.parts;
  self->state.children.services.router = watched(self, parts.make_router(self->system(), parts.router));
  for (const auto& each : self->state.children.workers)
    if (each.handle) introduce(self, each);
  introduce_tiers(self);
}

void start_worker(node_pointer self, node_worker& each) {
  ++each.setup.device.epoch;
  auto& system = self->system();
  const bool is_detached = own_threads(self) && each.setup.feeds_a_device;
  each.handle = watched(self, worker_actor{is_detached ? system.spawn<caf::detached>(worker, each.setup) : system.spawn(worker, each.setup)});
  introduce(self, each);
  connect_worker(self, each);
}

void start_directory(node_pointer self) {
  auto setup = self->state.parts.directory;
  setup.services = self->state.children.services;
  self->state.children.directory = watched(self, self->system().spawn(session_directory, std::move(setup)));
}

void start_all(node_pointer self) {
  start_trace(self);
  start_renderer(self);
  start_router(self);
  start_tiers(self);
  for (auto& setup : self->state.parts.workers) {
    self->state.children.workers.push_back({setup, {}});
    start_worker(self, self->state.children.workers.back());
  }
  start_directory(self);
}

/// Restarts whichever child had the address. Empty: none of them.
std::string_view restart(node_pointer self, const caf::actor_addr& address) {
  auto& children = self->state.children;
  const auto was = [&](const auto& handle) { return handle && handle.address() == address; };
  for (auto& each : children.workers)
    if (was(each.handle)) return start_worker(self, each), "worker";
  if (const auto name = restart_tier(self, address); !name.empty()) return name;
  if (was(children.directory)) return start_directory(self), "session_directory";
  std::string_view name;
  if (was(children.services.router)) start_router(self), name = "router_shard";
  if (was(children.services.renderer)) start_renderer(self), name = "template_renderer";
  if (was(children.services.trace)) start_trace(self), name = "trace";
  if (!name.empty()) self->send(children.directory, children.services);
  return name;
}

void end_node(node_pointer self) {
  for (auto& promise : self->state.drain_promises) promise.deliver(self->state.drained);
  self->state.drain_promises.clear();
  self->quit(caf::exit_reason::user_shutdown);
}

void take_down(node_pointer self, const caf::down_msg& down) {
  auto& state = self->state;
  if (state.ending) {
    if (--state.children_ending == 0) end_node(self);
    return;
  }
  const auto reason = to_failure(down.reason).message;
  if (!state.restarts.take(now_of(self))) {
    spdlog::critical("{} restarts within {} s are too many: {}", limits::restarts_max, limits::restart_window.count(), reason);
    self->quit(make_error(errc::worker_lost, "the node gives up: its actors die faster than it may restart them"));
    return;
  }
  const auto name = restart(self, down.source);
  spdlog::warn("restarted {}: {}", name, reason);
}

/// Sessions end by themselves once their directory has.
void end_children(node_pointer self) {
  auto& state = self->state;
  if (state.ending) return;
  state.ending = true;
  state.children_ending = state.children.all().size();
  state.children.end(caf::exit_reason::user_shutdown);
  self->delayed_send(caf::actor_cast<node_local_actor>(self), milliseconds{limits::child_end_wait}, node_tick{});
}

caf::result<drain_done> take_drain(node_pointer self, const drain_request& request) {
  auto& state = self->state;
  auto promise = self->make_response_promise<drain_done>();
  state.drain_promises.push_back(promise);
  if (std::exchange(state.draining, true)) return promise;
  const milliseconds wait = milliseconds{request.within_ms} + 2 * milliseconds{limits::release_wait};
  self->request(state.children.directory, wait, request)
      .then(
          [self](const drain_done& done) {
            self->state.drained = done;
            end_children(self);
          },
          [self](const caf::error& error) {
            spdlog::error("the drain was cut short: {}", to_failure(error).message);
            end_children(self);
          });
  return promise;
}

}  // namespace

std::vector<caf::actor> node_children::all() const {
  std::vector<caf::actor> handles;
  const auto add = [&](const auto& handle) {
    if (handle) handles.push_back(caf::actor_cast<caf::actor>(handle));
  };
  // The edge first: nobody should ask a peer that is gone.
  add(directory);
  add(services.router);
  for (const auto& each : workers) add(each.handle);
  for (const auto& each : tiers) add(each.handle);
  for (const auto& each : stores) add(each.handle);
  add(services.renderer);
  add(services.trace);
  return handles;
}

caf::strong_actor_ptr node_children::find(const child_request& wanted) const {
  const auto pointer = [](const auto& handle) { return caf::actor_cast<caf::strong_actor_ptr>(handle); };
  switch (wanted.what) {
    case child_request::kind::session_directory:
      return pointer(directory);
    case child_request::kind::router_shard:
      return pointer(services.router);
    case child_request::kind::worker:
      return wanted.index < workers.size() ? pointer(workers[wanted.index].handle) : nullptr;
    case child_request::kind::host_tier:
      return wanted.index < tiers.size() ? pointer(tiers[wanted.index].handle) : nullptr;
    case child_request::kind::store_tier:
      return wanted.index < stores.size() ? pointer(stores[wanted.index].handle) : nullptr;
    case child_request::kind::template_renderer:
      return pointer(services.renderer);
    case child_request::kind::trace:
      return pointer(services.trace);
  }
  return nullptr;
}

void node_children::end(caf::exit_reason why) {
  for (const auto& each : all()) caf::anon_send_exit(each, why);
}

node_local_actor::behavior_type node(node_pointer self, node_parts parts) {
  self->state.parts = std::move(parts);
  set_defaults(self, "node");
  outlive_errors(self, "node");
  self->set_down_handler([self](const caf::down_msg& down) { take_down(self, down); });
  start_all(self);
  return {
      [self](const directory_request&) { return session_directory_actor{self->state.children.directory}; },
      [self](const node_status_request&) { return report_status(self); },
      [self](const metrics_request&) { return report_metrics(self); },
      [self](const drain_request& request) { return take_drain(self, request); },
      [self](const render_request& request) { return self->delegate(self->state.children.services.renderer, request); },
      [self](const node_tick&) {
        // Whoever still runs is past its time: main ends the process whatever they do.
        if (self->state.ending) end_node(self);
      },
      [self](const child_request& wanted) { return self->state.children.find(wanted); },
  };
}

node_local_actor spawn_node(caf::actor_system& system, node_parts parts) { return system.spawn(node, std::move(parts)); }

}  // namespace troupe::actors
