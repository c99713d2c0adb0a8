// What passes between the host tier and the stores below it. A load asks one store after the other: found -> got -> the next one, because
// what the first lacks in the middle the second may have. A store that dies is answered for: it had nothing.
#include <algorithm>
#include <caf/all.hpp>
#include <utility>

#include "actors/host_tier.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

store_client_actor as_client(host_tier_pointer self) { return caf::actor_cast<store_client_actor>(self); }

void finish(host_tier_pointer self, std::uint64_t load) {
  auto& state = self->state;
  const auto asked = state.stores.loads.extract(load);
  const auto& [client, answer_to, request, store, is_abandoned] = asked.mapped();
  if (is_abandoned) {
    self->send(answer_to, core::lease_grant{request.number, request.id, request.from, {}, nullptr});
    return;
  }
  // The worker may have ended meanwhile: nobody would end a lease of it.
  const bool is_there = std::ranges::any_of(state.clients, [&](const auto& each) { return each.second == client; });
  if (is_there) self->send(answer_to, state.pool->lease(client, request));
}

/// Asks the store that is next, or answers the worker.
void ask_next(host_tier_pointer self, std::uint64_t load) {
  auto& stores = self->state.stores;
  auto& asked = stores.loads.at(load);
  const auto& chain = asked.request.chain;
  const auto held = self->state.pool->held(*chain);
  if (asked.store >= stores.handles.size() || held >= chain->blocks.size()) return finish(self, load);
  self->send(stores.handles[asked.store], core::store_find{load, chain, held}, as_client(self));
}

void skip_store(host_tier_pointer self, std::uint64_t load) {
  ++self->state.stores.loads.at(load).store;
  ask_next(self, load);
}

}  // namespace

void answer_lease(host_tier_pointer self, host_tier_load asked) {
  auto& state = self->state;
  const bool is_whole = state.pool->held(*asked.request.chain) >= asked.request.chain->blocks.size();
  if (is_whole || state.stores.handles.empty() || state.stores.loads.size() >= limits::store_loads_max) {
    self->send(asked.answer_to, state.pool->lease(asked.client, asked.request));
    return;
  }
  const auto load = ++state.stores.loads_seen;
  state.stores.loads.emplace(load, std::move(asked));
  ask_next(self, load);
}

void take_found(host_tier_pointer self, const core::store_found& found) {
  auto& stores = self->state.stores;
  const auto asked = stores.loads.find(found.load);
  if (asked == stores.loads.end()) return;
  if (asked->second.is_abandoned) return finish(self, found.load);
  if (found.blocks == 0) return skip_store(self, found.load);
  auto get = pool_of(self).begin_load(found.load, asked->second.request, found.blocks);
  if (get.slots.empty()) {
    pool_of(self).end_load(found.load, 0);
    return skip_store(self, found.load);
  }
  self->send(stores.handles[asked->second.store], std::move(get), as_client(self));
}

/// What has arrived may be followed by more, there or in a nearer store: all are asked again from here. Each round brings a block at least.
void take_got(host_tier_pointer self, const core::store_got& got) {
  const auto asked = self->state.stores.loads.find(got.load);
  const bool is_wanted = asked != self->state.stores.loads.end() && !asked->second.is_abandoned;
  pool_of(self).end_load(got.load, is_wanted ? got.blocks : 0);
  if (asked == self->state.stores.loads.end()) return;
  if (!is_wanted) return finish(self, got.load);
  if (got.blocks == 0) return skip_store(self, got.load);
  asked->second.store = 0;
  ask_next(self, got.load);
}

owner_released release_blocks(host_tier_pointer self, const owner_release& release) {
  auto&& [pool, stores] = std::tie(self->state.pool, self->state.stores);
  for (auto& [load, asked] : stores.loads)
    if (asked.request.owner == release.owner) asked.is_abandoned = true;
  const auto before = pool->counts().blocks.cached;
  auto its_own = pool_of(self).release_owner(release.owner, release.cause);
  if (!release.keep_stored && !its_own.empty())
    for (const auto& store : stores.handles) self->send(store, core::store_drop{its_own});
  return {before - pool->counts().blocks.cached};
}

void put_more(host_tier_pointer self) {
  auto& stores = self->state.stores;
  if (!stores.owing.empty() || stores.handles.empty()) return;
  const auto put = self->state.pool->next_put();
  if (!put) return;
  stores.putting = put->transfer;
  stores.is_put_complete = true;
  for (const auto& store : stores.handles) {
    stores.owing.push_back(store.address());
    self->send(store, *put, as_client(self));
  }
}

void take_put_done(host_tier_pointer self, const core::store_put_done& done) {
  auto& stores = self->state.stores;
  if (done.transfer != stores.putting) return;
  std::erase(stores.owing, caf::actor_cast<caf::actor_addr>(self->current_sender()));
  stores.is_put_complete = stores.is_put_complete && done.is_complete;
  if (!stores.owing.empty()) return;
  pool_of(self).end_put(stores.is_put_complete);
  put_more(self);
}

/// Whoever is replaced has ended, and with it what it read and wrote: nothing is under way there. What others do goes on.
void change_stores(host_tier_pointer self, std::vector<store_tier_actor> handles) {
  auto& stores = self->state.stores;
  const auto before = std::exchange(stores.handles, std::move(handles));
  const auto is_gone = [&](const caf::actor_addr& owes) {
    return std::ranges::none_of(stores.handles, [&](const auto& store) { return store.address() == owes; });
  };
  if (std::erase_if(stores.owing, is_gone) > 0) {
    stores.is_put_complete = false;
    if (stores.owing.empty()) pool_of(self).end_put(false);
  }
  const auto is_same = [&](std::size_t at) { return at < before.size() && at < stores.handles.size() && before[at] == stores.handles[at]; };
  std::vector<std::uint64_t> lost;
  for (const auto& [load, asked] : stores.loads)
    if (!is_same(asked.store)) lost.push_back(load);
  for (const auto load : lost) {
    pool_of(self).end_load(load, 0);
    finish(self, load);
  }
  put_more(self);
}

}  // namespace troupe::actors
