#include "actors/remote_tier.hpp"

#include <algorithm>
#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using self_pointer = store_tier_actor::stateful_pointer<remote_tier_state>;

store::unix_ms unix_now(self_pointer self) {
  return self->state.setup.about.unix_offset_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now_of(self)).count();
}

void put(self_pointer self, const core::store_put& asked) {
  const auto forms = stored_forms(self->state.setup.about, asked.blocks);
  std::vector<store::remote_put> puts;
  for (std::size_t i = 0; i < forms.size(); ++i) puts.push_back({&forms[i], {asked.slots[i], self->state.setup.about.block_bytes}});
  self->state.store->put(unix_now(self), puts);
}

/// How many leading ones of the wanted blocks are there; each call is one batch with a deadline of its own.
std::uint32_t find(self_pointer self, const core::store_find& wanted) {
  const auto& about = self->state.setup.about;
  std::vector<store::block_key> keys;
  for (std::size_t i = wanted.from; i < wanted.chain->blocks.size() && keys.size() < limits::remote_batch_max; ++i)
    keys.push_back({wanted.chain->blocks[i].hash, about.layout, about.scope});
  const auto there = self->state.store->exists(unix_now(self), keys);
  return static_cast<std::uint32_t>(std::ranges::find(there, false) - there.begin());
}

std::uint32_t get(self_pointer self, const core::store_get& asked) {
  const auto& about = self->state.setup.about;
  const auto forms = stored_forms(about, *asked.chain, asked.from, asked.slots.size(), block_tokens_of(*asked.chain));
  std::vector<store::remote_get> gets;
  for (std::size_t i = 0; i < forms.size(); ++i) gets.push_back({&forms[i], {asked.slots[i], about.block_bytes}});
  const auto loaded = self->state.store->get(unix_now(self), gets);
  const auto is_lost = [](const store::remote_loaded& each) { return each.result != store::store_result::loaded; };
  return static_cast<std::uint32_t>(std::ranges::find_if(loaded, is_lost) - loaded.begin());
}

tier_status status(self_pointer self) {
  const auto& about = self->state.setup.about;
  const auto counts = self->state.store->counts();
  tier_status status;
  status.tier = about.tier;
  status.model = about.model;
  status.kind = "remote";
  status.epoch = about.epoch;
  status.blocks_stored = counts.stored;
  status.blocks_read = counts.loaded;
  status.blocks_refused = counts.failed + counts.unavailable;
  status.hash_mismatches = counts.mismatched;
  return status;
}

}  // namespace

store_tier_actor::behavior_type remote_tier(self_pointer self, remote_tier_setup setup) {
  set_defaults(self, "remote_tier");
  self->state.setup = std::move(setup);
  self->state.store = std::make_unique<store::remote_store>(self->state.setup.store);
  return {
      [](const owner_release&) { return owner_released{}; },
      [self](const tier_status_request&) { return status(self); },
      [](const shard_joined&, const shard_sink_actor&) { /* it announces nothing */ },
      [](const snapshot_request&) { /* as above */ },
      [self](const core::store_put& asked, const store_client_actor& client) {
        put(self, asked);
        self->send(client, core::store_put_done{asked.transfer});
      },
      [self](const core::store_find& wanted, const store_client_actor& client) {
        self->send(client, core::store_found{wanted.load, find(self, wanted)});
      },
      [self](const core::store_get& asked, const store_client_actor& client) {
        self->send(client, core::store_got{asked.load, get(self, asked)});
      },
      [self](const core::store_drop& drop) {
        std::vector<store::block_key> keys;
        for (const auto& hash : drop.hashes) keys.push_back({hash, self->state.setup.about.layout, self->state.setup.about.scope});
        self->state.store->drop(unix_now(self), keys);
      },
  };
}

}  // namespace troupe::actors
