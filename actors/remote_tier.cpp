#include "actors/remote_tier.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <iterator>
#include <span>

#include "actors/actor_defaults.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using self_pointer = store_tier_actor::stateful_pointer<remote_tier_state>;

// A local Redis moves this in a tenth of the default deadline.
constexpr std::uint64_t bytes_per_call = 8 << 20;

store::unix_ms unix_now(self_pointer self) {
  return self->state.setup.about.unix_offset_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now_of(self)).count();
}

/// Blocks per call: each call has a deadline of its own, so it must be able to carry what it is given.
std::size_t blocks_per_call(self_pointer self) {
  return std::clamp<std::uint64_t>(bytes_per_call / self->state.setup.about.block_bytes, 1, limits::remote_batch_max);
}

bool put(self_pointer self, const core::store_put& asked) {
  const auto forms = stored_forms(self->state.setup.about, asked.blocks);
  std::vector<store::remote_put> puts;
  const auto may_come = [&asked](std::size_t i) { return asked.lowest.empty() || asked.lowest[i] == core::tier_level::remote; };
  for (std::size_t i = 0; i < forms.size(); ++i)
    if (may_come(i)) puts.push_back({&forms[i], {asked.slots[i], self->state.setup.about.block_bytes}});
  const auto most = blocks_per_call(self);
  for (std::size_t at = 0; at < puts.size(); at += most) {
    const auto results = self->state.store->put(unix_now(self), std::span(puts).subspan(at, std::min(most, puts.size() - at)));
    if (std::ranges::count(results, store::store_result::stored) != std::ssize(results)) return false;
  }
  return true;
}

std::uint64_t faults_of(self_pointer self) {
  const auto counts = self->state.store->counts();
  return counts.faults_gone + counts.faults_late + counts.faults_lying + counts.error_replies;
}

/// How many leading ones of the wanted blocks are there.
std::uint32_t find(self_pointer self, const core::store_find& wanted) {
  const auto& about = self->state.setup.about;
  std::vector<store::block_key> keys;
  for (std::size_t i = wanted.from; i < wanted.chain->blocks.size() && keys.size() < limits::remote_batch_max; ++i)
    keys.push_back({wanted.chain->blocks[i].hash, about.layout, about.scope});
  const auto before = faults_of(self);
  const auto there = self->state.store->exists(unix_now(self), keys);
  if (faults_of(self) > before || self->state.store->breaker() == store::circuit_breaker::phase::open)
    self->state.blocks_not_found_out += keys.size();
  return static_cast<std::uint32_t>(std::ranges::find(there, false) - there.begin());
}

/// The leading ones that have arrived.
core::store_got get(self_pointer self, const core::store_get& asked) {
  const auto& about = self->state.setup.about;
  const auto forms = stored_forms(about, *asked.chain, asked.from, asked.slots.size(), block_tokens_of(*asked.chain));
  std::vector<store::remote_get> gets;
  for (std::size_t i = 0; i < forms.size(); ++i) gets.push_back({&forms[i], {asked.slots[i], about.block_bytes}});
  core::store_got got{asked.load, 0, {}};
  const auto most = blocks_per_call(self);
  for (std::size_t at = 0; at < gets.size(); at += most) {
    const auto loaded = self->state.store->get(unix_now(self), std::span(gets).subspan(at, std::min(most, gets.size() - at)));
    for (const auto& each : loaded) {
      if (each.result != store::store_result::loaded) return got;
      got.roles.push_back(core::role_of_number(each.retention.role));
      ++got.blocks;
    }
  }
  return got;
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
  status.blocks_failed = counts.failed + counts.unavailable + counts.corrupt + self->state.blocks_not_found_out;
  status.hash_mismatches = counts.mismatched;
  return status;
}

}  // namespace

store_tier_actor::behavior_type remote_tier(self_pointer self, remote_tier_setup setup) {
  set_defaults(self, "remote_tier");
  self->state.setup = std::move(setup);
  self->state.store = std::make_unique<store::remote_store>(self->state.setup.store);
  return {
      [self](const owner_release& release) {
        if (!release.keep_stored) self->state.store->release(release.owner);
        return owner_released{};
      },
      [self](const owner_intent& intent) {
        const auto now = unix_now(self);
        const auto& about = self->state.setup.about;
        self->state.store->apply(now, pins_of(intent, now), about.layout, about.scope);
      },
      [](const core::store_put_cancel&) { /* each of its calls has a deadline: it has been answered */ },
      [self](const tier_status_request&) { return status(self); },
      [](const shard_joined&, const shard_sink_actor&) { /* it announces nothing */ },
      [](const snapshot_request&) { /* as above */ },
      [self](const core::store_put& asked, const store_client_actor& client) {
        self->send(client, core::store_put_done{asked.transfer, put(self, asked)});
      },
      [self](const core::store_find& wanted, const store_client_actor& client) {
        self->send(client, core::store_found{wanted.load, find(self, wanted)});
      },
      [self](const core::store_get& asked, const store_client_actor& client) {
        self->send(client, get(self, asked));
      },
      [](const core::store_drop&) { /* another process may share them: they leave by their ttl */ },
  };
}

}  // namespace troupe::actors
