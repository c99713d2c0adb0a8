#include "actors/host_tier.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using self_pointer = host_tier_pointer;

/// The first block of a sequence has no parent in the router's index, whatever root its scope has.
void orphan_roots(const core::host_pool& pool, std::vector<core::block_event>& events) {
  for (auto& event : events)
    if (event.what == core::block_event::kind::stored && !pool.is_cached(event.parent)) event.parent = {};
}

void announce(self_pointer self) {
  auto& state = self->state;
  auto changes = state.pool->take_events();
  if (changes.empty()) return;
  orphan_roots(*state.pool, changes);
  const auto first = state.events_announced;
  state.events_announced += changes.size();
  const block_events told{state.setup.tier, state.setup.epoch, first, std::move(changes), false};
  for (const auto& [address, shard] : state.shards) self->send(shard, told);
}

block_events snapshot(self_pointer self) {
  auto& state = self->state;
  auto held = state.pool->snapshot();
  orphan_roots(*state.pool, held);
  return {state.setup.tier, state.setup.epoch, state.events_announced, std::move(held), true};
}

core::host_pool::client_id client_of(self_pointer self, const tier_client_actor& client) {
  auto& state = self->state;
  const auto [known, is_new] = state.clients.emplace(client.address(), host_tier_client{state.clients_seen, client});
  if (is_new) {
    ++state.clients_seen;
    self->monitor(client);
  }
  return known->second.id;
}

/// Nothing for a sender that never asked for anything.
std::optional<core::host_pool::client_id> known_sender(self_pointer self) {
  const auto known = self->state.clients.find(caf::actor_cast<caf::actor_addr>(self->current_sender()));
  return known == self->state.clients.end() ? std::nullopt : std::optional{known->second.id};
}

/// After every change: workers and stores are answered, the shards hear of what came and what was evicted to make room.
void settle(self_pointer self) {
  pass_on(self);
  put_more(self);
  announce(self);
}

void forget(self_pointer self, const caf::actor_addr& dead) {
  auto& state = self->state;
  state.shards.erase(dead);
  drop_store(self, dead);
  if (auto client = state.clients.extract(dead)) {
    state.stores.loader->forget(client.mapped().id);
    state.pool->forget(client.mapped().id);
  }
  settle(self);
}

void introduce(self_pointer self, const shard_sink_actor& shard) {
  announce(self);
  if (self->state.shards.emplace(shard.address(), shard).second) self->monitor(shard);
  self->send(shard, snapshot(self));
}

void repeat_snapshot(self_pointer self) {
  announce(self);
  const auto& shards = self->state.shards;
  const auto asking = shards.find(caf::actor_cast<caf::actor_addr>(self->current_sender()));
  for (const auto& [address, shard] : shards)
    if (asking == shards.end() || asking->first == address) self->send(shard, snapshot(self));
}

tier_status status(self_pointer self) {
  const auto& [setup, pool] = std::tie(self->state.setup, self->state.pool);
  const auto counts = pool->counts();
  const auto loads = self->state.stores.loader->counts();
  return {.tier = setup.tier,
          .model = setup.model,
          .kind = "host",
          .epoch = setup.epoch,
          .bytes_total = setup.pool.block_bytes * setup.pool.block_count,
          .blocks_total = counts.blocks.total,
          .blocks_free = counts.blocks.free,
          .blocks_leased = counts.blocks.leased,
          .blocks_cached = counts.blocks.cached,
          .blocks_pinned = counts.blocks.pinned,
          .blocks_stored = counts.blocks.stored,
          .hash_mismatches = counts.blocks.hash_mismatches,
          .blocks_removed = {counts.blocks.removed.begin(), counts.blocks.removed.end()},
          .blocks_read = counts.blocks_out,
          .blocks_refused = counts.refused,
          .blocks_failed = loads.blocks_failed,
          .blocks_recomputed = loads.blocks_recomputed,
          .blocks_given_up = counts.given_up,
          .blocks_by_role = {counts.blocks.by_role.begin(), counts.blocks.by_role.end()},
          .tenants = pool->tenants().names(),
          .blocks_by_tenant = pool->tenants().blocks(),
          .integrity = pool->check_integrity().value_or("")};
}

}  // namespace

core::host_pool& pool_of(self_pointer self) {
  self->state.pool->set_time(now_of(self));
  return *self->state.pool;
}

core::store_loader& loader_of(self_pointer self) {
  pool_of(self);
  return *self->state.stores.loader;
}

host_tier_inside::behavior_type host_tier(self_pointer self, host_tier_setup setup) {
  set_defaults(self, "host_tier");
  self->set_down_handler([self](const caf::down_msg& down) { forget(self, down.source); });
  auto pool = core::host_pool::make(setup.pool);
  if (!pool) {
    self->quit(make_error(pool.error()));
    return host_tier_inside::behavior_type::make_empty_behavior();
  }
  self->state.setup = std::move(setup);
  self->state.pool = *std::move(pool);
  self->state.stores.loader = std::make_unique<core::store_loader>(*self->state.pool);
  return {
      [self](const owner_release& release) {
        const auto released = release_blocks(self, release);
        settle(self);
        return released;
      },
      [self](const tier_status_request&) { return status(self); },
      [self](const shard_joined&, const shard_sink_actor& shard) { introduce(self, shard); },
      [self](const snapshot_request&) { repeat_snapshot(self); },
      [self](const core::slot_request& request, const tier_client_actor& client) {
        self->send(client, pool_of(self).reserve(client_of(self, client), request));
        announce(self);
      },
      [self](const core::slot_commit& commit) {
        if (const auto client = known_sender(self)) pool_of(self).commit(*client, commit);
        announce(self);
      },
      [self](const core::lease_request& request, const tier_client_actor& client) {
        loader_of(self).ask(client_of(self, client), request, now_of(self));
        settle(self);
      },
      [self](const core::lease_end& ended) {
        if (const auto client = known_sender(self)) pool_of(self).end(*client, ended);
      },
      [self](const core::chain_touch& touched) {
        if (const auto client = known_sender(self)) pool_of(self).touch(*client, touched);
        put_more(self);
      },
      [self](const core::turn_closing& closing) {
        loader_of(self).close_turn(closing.owner, closing.how.turn);
        pool_of(self).finish(closing);
      },
      [self](const core::turn_outlook& outlook) { pool_of(self).apply(outlook); },
      [self](const owner_forget& forgotten) {
        pool_of(self).forget_chain(forgotten.owner, forgotten.blocks, forgotten.cause);
        announce(self);
      },
      [self](const owner_intent& intent) {
        pool_of(self).apply({intent.owner, intent.generation, intent.wishes});
        for (const auto& store : self->state.stores.below) self->send(store.handle, intent);
      },
      [self](const stores_below& below) {
        change_stores(self, below.handles);
        settle(self);
      },
      [self](const core::store_put_done& done) {
        take_put_done(self, done);
        settle(self);
      },
      [self](const core::store_found& found) {
        if (const auto store = store_that_says(self)) loader_of(self).found(*store, found, now_of(self));
        settle(self);
      },
      [self](const core::store_got& got) {
        if (const auto store = store_that_says(self)) loader_of(self).got(*store, got, now_of(self));
        settle(self);
      },
      [self](const host_tier_tick&) {
        self->state.stores.tick_at.reset();
        loader_of(self).expire(now_of(self));
        give_up_late_put(self);
        settle(self);
      },
  };
}

}  // namespace troupe::actors
