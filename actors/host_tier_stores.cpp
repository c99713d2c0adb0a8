// What passes between the host tier and the stores below it: the loader decides on loads, here are their handles and the puts. A put that
// a store does not finish in time is given up, and that store left alone until it is done with it. A store
// that ends is done with what it read and wrote; until the node names its successor the others are asked.
#include <algorithm>
#include <caf/all.hpp>
#include <utility>

#include "actors/actor_defaults.hpp"
#include "actors/host_tier.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

store_client_actor as_client(host_tier_pointer self) { return caf::actor_cast<store_client_actor>(self); }

const store_tier_actor& handle_of(host_tier_pointer self, core::store_loader::store_id store) {
  return std::ranges::find(self->state.stores.below, store, &host_tier_store::id)->handle;
}

void come_back(host_tier_pointer self) {
  auto& stores = self->state.stores;
  auto next = stores.loader->next_deadline();
  if (stores.put) next = next ? std::min(*next, stores.put->due) : stores.put->due;
  if (!next || (stores.tick_at && *stores.tick_at <= *next)) return;
  stores.tick_at = next;
  self->delayed_send(self, std::max(*next - now_of(self), core::instant{0}), host_tier_tick{});
}

/// Puts that nobody owes any more.
void end_written(host_tier_pointer self) {
  auto& stores = self->state.stores;
  if (stores.put && stores.put->owing.empty()) {
    pool_of(self).end_put(stores.put->is_complete);
    stores.put.reset();
  }
  std::erase_if(stores.given_up, [self](const host_tier_put& each) {
    if (each.owing.empty()) pool_of(self).end_given_up(each.transfer);
    return each.owing.empty();
  });
}

/// What is owed by stores that have gone is not written.
void forgive(host_tier_pointer self) {
  auto& stores = self->state.stores;
  const auto is_gone = [&](const caf::actor_addr& owes) {
    return std::ranges::none_of(stores.below, [&](const auto& store) { return store.handle.address() == owes; });
  };
  if (stores.put && std::erase_if(stores.put->owing, is_gone) > 0) stores.put->is_complete = false;
  for (auto& each : stores.given_up) std::erase_if(each.owing, is_gone);
  end_written(self);
}

bool owes_a_put(host_tier_pointer self, const host_tier_store& store) {
  return std::ranges::any_of(self->state.stores.given_up, [&](const host_tier_put& each) {
    return std::ranges::find(each.owing, store.handle.address()) != each.owing.end();
  });
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
  for (const auto& store : stores.below) {
    caf::anon_send(store.handle, release);
    if (!release.keep_stored && !its_own.empty()) self->send(store.handle, core::store_drop{its_own});
  }
  return {before - pool->counts().blocks.cached};
}

std::optional<core::store_loader::store_id> store_that_says(host_tier_pointer self) {
  const auto sender = caf::actor_cast<caf::actor_addr>(self->current_sender());
  for (const auto& store : self->state.stores.below)
    if (store.handle.address() == sender) return store.id;
  return std::nullopt;
}

void put_more(host_tier_pointer self) {
  auto& stores = self->state.stores;
  const auto owes = [self](const host_tier_store& store) { return owes_a_put(self, store); };
  if (stores.put || std::ranges::all_of(stores.below, owes)) return;
  const auto put = self->state.pool->next_put();
  if (!put) return;
  stores.put = host_tier_put{put->transfer, now_of(self) + core::instant{limits::store_put_wait}, {}, true};
  for (const auto& store : stores.below) {
    if (owes(store)) continue;
    stores.put->owing.push_back(store.handle.address());
    self->send(store.handle, *put, as_client(self));
  }
  come_back(self);
}

/// As long as a store may read the slots, what they hold must not change: the blocks stay leased until it says that it is done.
void give_up_late_put(host_tier_pointer self) {
  auto& stores = self->state.stores;
  if (!stores.put || now_of(self) < stores.put->due) return;
  for (const auto& store : stores.below)
    if (std::ranges::find(stores.put->owing, store.handle.address()) != stores.put->owing.end())
      self->send(store.handle, core::store_put_cancel{stores.put->transfer});
  pool_of(self).give_up_put();
  stores.given_up.push_back(*std::exchange(stores.put, std::nullopt));
}

void take_put_done(host_tier_pointer self, const core::store_put_done& done) {
  auto& stores = self->state.stores;
  const auto sender = caf::actor_cast<caf::actor_addr>(self->current_sender());
  const bool is_under_way = stores.put && stores.put->transfer == done.transfer;
  if (is_under_way && std::erase(stores.put->owing, sender) > 0)
    stores.put->is_complete = stores.put->is_complete && done.is_complete;
  for (auto& each : stores.given_up)
    if (each.transfer == done.transfer) std::erase(each.owing, sender);
  end_written(self);
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
