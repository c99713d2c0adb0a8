// What passes between the host tier and the stores below it: the loader decides on loads, here are their handles and the puts. A store
// that ends is done with what it read and wrote; until the node names its successor the others are asked.
#include <algorithm>
#include <caf/all.hpp>
#include <utility>

#include "actors/actor_defaults.hpp"
#include "actors/host_tier.hpp"

namespace troupe::actors {
namespace {

store_client_actor as_client(host_tier_pointer self) { return caf::actor_cast<store_client_actor>(self); }

const store_tier_actor& handle_of(host_tier_pointer self, core::store_loader::store_id store) {
  return std::ranges::find(self->state.stores.below, store, &host_tier_store::id)->handle;
}

void come_back(host_tier_pointer self) {
  auto& stores = self->state.stores;
  const auto next = stores.loader->next_deadline();
  if (!next || stores.tick_pending) return;
  stores.tick_pending = true;
  self->delayed_send(self, std::max(*next - now_of(self), core::instant{0}), host_tier_tick{});
}

/// What is owed by stores that have gone is not written.
void forgive(host_tier_pointer self) {
  auto& stores = self->state.stores;
  const auto is_gone = [&](const caf::actor_addr& owes) {
    return std::ranges::none_of(stores.below, [&](const auto& store) { return store.handle.address() == owes; });
  };
  if (std::erase_if(stores.owing, is_gone) == 0) return;
  stores.is_put_complete = false;
  if (stores.owing.empty()) self->state.pool->end_put(false);
}

void tell_loader(host_tier_pointer self) {
  std::vector<core::store_loader::store_id> nearest_first;
  for (const auto& store : self->state.stores.below) nearest_first.push_back(store.id);
  self->state.stores.loader->change_stores(std::move(nearest_first));
}

}  // namespace

void pass_on(host_tier_pointer self) {
  auto& state = self->state;
  auto told = state.stores.loader->take_messages();
  for (auto& [store, find] : told.finds) self->send(handle_of(self, store), std::move(find), as_client(self));
  for (auto& [store, get] : told.gets) self->send(handle_of(self, store), std::move(get), as_client(self));
  for (auto& [client, grant] : told.grants)
    for (const auto& [address, known] : state.clients)
      if (known.id == client) self->send(known.handle, std::move(grant));
  come_back(self);
}

owner_released release_blocks(host_tier_pointer self, const owner_release& release) {
  auto&& [pool, stores] = std::tie(self->state.pool, self->state.stores);
  stores.loader->release_owner(release.owner);
  const auto before = pool->counts().blocks.cached;
  if (!release.head.empty()) pool_of(self).bequeath(release.owner, release.heir, release.head);
  auto its_own = pool_of(self).release_owner(release.owner, release.cause);
  if (!release.keep_stored && !its_own.empty())
    for (const auto& store : stores.below) self->send(store.handle, core::store_drop{its_own});
  return {before - pool->counts().blocks.cached};
}

std::optional<core::store_loader::store_id> store_that_says(host_tier_pointer self) {
  const auto sender = caf::actor_cast<caf::actor_addr>(self->current_sender());
  for (const auto& store : self->state.stores.below)
    if (store.handle.address() == sender) return store.id;
  return std::nullopt;
}

/// A put has no deadline: as long as a store may read the slots, what they hold must not change.
void put_more(host_tier_pointer self) {
  auto& stores = self->state.stores;
  if (!stores.owing.empty() || stores.below.empty()) return;
  const auto put = self->state.pool->next_put();
  if (!put) return;
  stores.putting = put->transfer;
  stores.is_put_complete = true;
  for (const auto& store : stores.below) {
    stores.owing.push_back(store.handle.address());
    self->send(store.handle, *put, as_client(self));
  }
}

void take_put_done(host_tier_pointer self, const core::store_put_done& done) {
  auto& stores = self->state.stores;
  if (done.transfer != stores.putting) return;
  if (std::erase(stores.owing, caf::actor_cast<caf::actor_addr>(self->current_sender())) == 0) return;
  stores.is_put_complete = stores.is_put_complete && done.is_complete;
  if (stores.owing.empty()) pool_of(self).end_put(stores.is_put_complete);
}

void change_stores(host_tier_pointer self, const std::vector<store_tier_actor>& handles) {
  auto& stores = self->state.stores;
  const auto before = std::exchange(stores.below, {});
  for (const auto& handle : handles) {
    const auto known = std::ranges::find(before, handle, &host_tier_store::handle);
    stores.below.push_back(known != before.end() ? *known : host_tier_store{++stores.seen, handle});
    if (known == before.end()) self->monitor(handle);
  }
  forgive(self);
  tell_loader(self);
}

void drop_store(host_tier_pointer self, const caf::actor_addr& dead) {
  if (std::erase_if(self->state.stores.below, [&](const auto& store) { return store.handle.address() == dead; }) == 0) return;
  forgive(self);
  tell_loader(self);
}

}  // namespace troupe::actors
