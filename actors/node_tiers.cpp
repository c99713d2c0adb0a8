// The tiers of a node: workers know the host tier of their model, the host tier knows its stores, the router knows all that announce
// blocks. Whoever is restarted is made known again.
#include <algorithm>
#include <caf/all.hpp>

#include "actors/node.hpp"

namespace troupe::actors {
namespace {

template <class Handle>
Handle watched(node_pointer self, Handle handle) {
  self->monitor(caf::actor_cast<caf::actor>(handle));
  return handle;
}

void introduce(node_pointer self, worker_id tier, const model_id& model, std::uint64_t epoch, const tier_actor& handle) {
  tier_joined joined{tier, model, epoch, {}};
  for (const auto& worker : self->state.parts.workers)
    if (worker.device.model == model) joined.workers.push_back(worker.device.worker.value);
  self->send(self->state.children.services.router, std::move(joined), handle);
}

void introduce(node_pointer self, const node_tier& each) {
  introduce(self, each.setup.tier, each.setup.model, each.setup.epoch, tier_actor{each.handle});
}

/// A remote tier is asked when it is wanted: what is there changes without this node.
void introduce(node_pointer self, node_store& each) {
  const auto& about = each.about();
  if (std::holds_alternative<disk_tier_setup>(each.setup)) introduce(self, about.tier, about.model, about.epoch, tier_actor{each.handle});
}

/// The workers of a model share its tier: to each, a like part of it is its own.
std::uint32_t part_of(node_pointer self, const node_tier& tier) {
  const auto& workers = self->state.parts.workers;
  const auto same = std::ranges::count_if(workers, [&](const auto& each) { return each.device.model == tier.setup.model; });
  return tier.setup.pool.block_count / static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(same, 1));
}

void connect(node_pointer self, const node_tier& tier, const node_worker& worker) {
  if (tier.handle && worker.handle && tier.setup.model == worker.setup.device.model)
    caf::anon_send(caf::actor_cast<caf::actor>(worker.handle), tier_below{tier.handle, part_of(self, tier), tier.setup.offload});
}

void connect_stores(node_pointer self, const node_tier& tier) {
  stores_below below;
  for (auto& each : self->state.children.stores)
    if (each.handle && each.about().model == tier.setup.model) below.handles.push_back(each.handle);
  if (!below.handles.empty()) caf::anon_send(caf::actor_cast<caf::actor>(tier.handle), std::move(below));
}

/// Detached where the node has threads of its own: a disk or a network may keep it waiting.
store_tier_actor spawn_store(node_pointer self, const node_store& each) {
  auto& system = self->system();
  const bool is_detached = self->state.parts.placement == node_parts::threads::own;
  if (const auto* disk = std::get_if<disk_tier_setup>(&each.setup))
    return is_detached ? system.spawn<caf::detached>(disk_tier, *disk) : system.spawn(disk_tier, *disk);
  const auto& remote = std::get<remote_tier_setup>(each.setup);
  return is_detached ? system.spawn<caf::detached>(remote_tier, remote) : system.spawn(remote_tier, remote);
}

void start_store(node_pointer self, node_store& each) {
  ++each.about().epoch;
  each.handle = watched(self, spawn_store(self, each));
  introduce(self, each);
  for (const auto& tier : self->state.children.tiers)
    if (tier.handle && tier.setup.model == each.about().model) connect_stores(self, tier);
}

void start_tier(node_pointer self, node_tier& each) {
  auto& children = self->state.children;
  ++each.setup.epoch;
  each.handle = watched(self, self->system().spawn(host_tier, each.setup));
  children.services.tiers.clear();
  for (const auto& tier : children.tiers)
    if (tier.handle) children.services.tiers.emplace_back(tier.handle);
  introduce(self, each);
  connect_stores(self, each);
  for (const auto& worker : children.workers) connect(self, each, worker);
}

}  // namespace

store_tier_setup& node_store::about() {
  return std::visit([](auto& each) -> store_tier_setup& { return each.about; }, setup);
}

void start_tiers(node_pointer self) {
  auto&& [parts, children] = std::tie(self->state.parts, self->state.children);
  for (const auto& setup : parts.tiers.hosts) children.tiers.push_back({setup, {}});
  for (const auto& setup : parts.tiers.disks) children.stores.push_back({setup, {}});
  for (const auto& setup : parts.tiers.remotes) children.stores.push_back({setup, {}});
  for (auto& each : children.tiers) start_tier(self, each);
  for (auto& each : children.stores) start_store(self, each);
}

std::string_view restart_tier(node_pointer self, const caf::actor_addr& address) {
  auto& children = self->state.children;
  const auto was = [&](const auto& handle) { return handle && handle.address() == address; };
  for (auto& each : children.tiers) {
    if (!was(each.handle)) continue;
    start_tier(self, each);
    self->send(children.directory, children.services);
    return "host_tier";
  }
  for (auto& each : children.stores)
    if (was(each.handle)) return start_store(self, each), std::holds_alternative<disk_tier_setup>(each.setup) ? "disk_tier" : "remote_tier";
  return {};
}

void introduce_tiers(node_pointer self) {
  for (const auto& each : self->state.children.tiers) introduce(self, each);
  for (auto& each : self->state.children.stores) introduce(self, each);
}

void connect_worker(node_pointer self, const node_worker& worker) {
  for (const auto& tier : self->state.children.tiers) connect(self, tier, worker);
}

}  // namespace troupe::actors
