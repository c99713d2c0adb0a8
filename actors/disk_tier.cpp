#include "actors/disk_tier.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <caf/all.hpp>
#include <functional>

#include "actors/actor_defaults.hpp"

namespace troupe::actors {
namespace {

using self_pointer = disk_tier_inside::stateful_pointer<disk_tier_state>;
using std::chrono::milliseconds;

constexpr milliseconds wait_longest{1};        // a message that arrives meanwhile waits so long
constexpr milliseconds housekeeping_interval{500};

store::unix_ms unix_now(self_pointer self) {
  return self->state.setup.about.unix_offset_ms + std::chrono::duration_cast<milliseconds>(now_of(self)).count();
}

void announce(self_pointer self) {
  auto& state = self->state;
  if (!state.store) return;
  block_events told{state.setup.about.tier, state.setup.about.epoch, state.events_announced, {}, false};
  for (auto& event : state.store->take_events())
    if (event.layout == state.setup.about.layout) told.events.push_back(event.change);
  if (told.events.empty()) return;
  state.events_announced += told.events.size();
  for (const auto& [address, shard] : state.shards) self->send(shard, told);
}

block_events snapshot(self_pointer self) {
  const auto& state = self->state;
  block_events told{state.setup.about.tier, state.setup.about.epoch, state.events_announced, {}, true};
  if (!state.store) return told;
  for (auto& event : state.store->snapshot())
    if (event.layout == state.setup.about.layout) told.events.push_back(event.change);
  return told;
}

void settle(self_pointer self, const disk_operation& done, store::store_result result) {
  using store::store_result;
  auto& batches = self->state.batches;
  auto& batch = batches.at(done.batch);
  const bool is_there = result == store_result::loaded || result == store_result::stored || result == store_result::present;
  batch.arrived[done.index] = is_there;
  if (--batch.left > 0) return;
  answer_batch(self, batch);
  batches.erase(done.batch);
}

store::store_result begin(self_pointer self, const disk_operation& next, store::store_ticket ticket) {
  auto& state = self->state;
  auto& batch = state.batches.at(next.batch);
  const auto bytes = state.setup.about.block_bytes;
  const auto& form = batch.forms[next.index];
  if (const auto* put = std::get_if<core::store_put>(&batch.asked))
    return state.store->put(unix_now(self), form, {put->slots[next.index], bytes}, ticket);
  return state.store->get(unix_now(self), form, {std::get<core::store_get>(batch.asked).slots[next.index], bytes}, ticket);
}

/// Starts what the store takes of a queue. What it does not admit now, for its write rate or for pinned blocks that are carried over first,
/// waits for the next tick; who asked for it says how long.
void start(self_pointer self, std::deque<disk_operation>& queue) {
  auto& state = self->state;
  while (!queue.empty()) {
    const auto next = queue.front();
    const store::store_ticket ticket{state.tickets_seen + 1};
    const auto result = begin(self, next, ticket);
    if (result == store::store_result::rate_limited || result == store::store_result::busy) return;
    ++state.tickets_seen;
    queue.pop_front();
    if (result == store::store_result::pending)
      state.active.emplace(ticket, next);
    else
      settle(self, next, result);
  }
}

/// Starts what it can, looks what has finished, and comes back as long as something is under way.
void work(self_pointer self, milliseconds longest) {
  auto& state = self->state;
  if (!state.store) return;
  start(self, state.gets);
  start(self, state.puts);
  std::vector<store::store_completion> completions;
  // What is carried over makes room for puts that wait.
  const bool is_moving = !state.active.empty() || state.store->is_carrying();
  if (is_moving)
    state.store->wait(unix_now(self), longest, completions);
  else
    state.store->poll(unix_now(self), completions);
  for (const auto& each : completions)
    if (auto done = state.active.extract(each.ticket)) {
      if (each.result == store::store_result::loaded)
        state.batches.at(done.mapped().batch).forms[done.mapped().index].retention = each.retention;
      settle(self, done.mapped(), each.result);
    }
  announce(self);
  if (!is_moving || state.work_pending) return;
  state.work_pending = true;
  self->send(self, disk_tier_work{});
}

template <class Asked>
void take_batch(self_pointer self, const Asked& asked, const store_client_actor& client, std::vector<store::stored_block> forms) {
  auto& state = self->state;
  const auto id = ++state.batches_seen;
  const auto count = forms.size();
  store_batch batch{asked, client, std::move(forms), std::vector<bool>(count, false), count};
  if (count == 0 || !state.store) return answer_batch(self, batch);
  auto& queue = std::holds_alternative<core::store_put>(batch.asked) ? state.puts : state.gets;
  for (std::size_t i = 0; i < count; ++i) queue.push_back({id, i});
  state.batches.emplace(id, std::move(batch));
  work(self, milliseconds{0});
}

/// Leaves out what has not begun.
void cancel_put(self_pointer self, std::uint64_t transfer) {
  auto& state = self->state;
  const auto is_of_it = [&](const disk_operation& each) {
    const auto* put = std::get_if<core::store_put>(&state.batches.at(each.batch).asked);
    return put != nullptr && put->transfer == transfer;
  };
  const auto from = std::ranges::stable_partition(state.puts, std::not_fn(is_of_it)).begin();
  const std::vector<disk_operation> left_out(from, state.puts.end());
  state.puts.erase(from, state.puts.end());
  for (const auto& each : left_out) settle(self, each, store::store_result::failed);
}

core::store_found find(self_pointer self, const core::store_find& wanted) {
  const auto& state = self->state;
  const auto& blocks = wanted.chain->blocks;
  if (!state.store) return {wanted.load, 0};
  std::size_t end = wanted.from;
  while (end < blocks.size() && state.store->holds(blocks[end].hash, state.setup.about.layout)) ++end;
  return {wanted.load, static_cast<std::uint32_t>(end - wanted.from)};
}

tier_status status(self_pointer self) {
  const auto& [about, options] = self->state.setup;
  tier_status status;
  status.tier = about.tier;
  status.model = about.model;
  status.kind = "disk";
  status.epoch = about.epoch;
  status.integrity = self->state.problem;
  if (!self->state.store) return status;
  const auto counts = self->state.store->counts();
  const auto& removed = counts.removed;
  status.bytes_total = options.budget_bytes;
  status.blocks_total = static_cast<std::uint32_t>(options.budget_bytes / about.block_bytes);
  status.blocks_cached = static_cast<std::uint32_t>(counts.blocks);
  status.blocks_pinned = static_cast<std::uint32_t>(counts.pinned);
  status.blocks_clipped = counts.clipped;
  status.blocks_leased = static_cast<std::uint32_t>(counts.in_flight);
  status.blocks_free = status.blocks_total - std::min(status.blocks_total, status.blocks_cached);
  status.blocks_stored = counts.stored;
  status.blocks_removed.resize(core::eviction_causes);
  const auto set = [&](core::eviction_cause cause, store::removal_cause of) {
    status.blocks_removed[static_cast<std::size_t>(cause)] = removed[static_cast<std::size_t>(of)];
  };
  set(core::eviction_cause::capacity, store::removal_cause::capacity);
  set(core::eviction_cause::ttl, store::removal_cause::ttl);
  set(core::eviction_cause::death, store::removal_cause::dropped);
  status.blocks_by_role.assign(counts.by_role.begin(), counts.by_role.end());
  status.hash_mismatches = counts.mismatched;
  status.blocks_read = counts.loaded;
  status.blocks_refused = counts.refused_busy + counts.refused_rate;
  status.blocks_failed = counts.failed + counts.corrupt;
  status.integrity = self->state.store->check_integrity().value_or("");
  return status;
}

void introduce(self_pointer self, const shard_sink_actor& shard) {
  announce(self);
  if (self->state.shards.emplace(shard.address(), shard).second) self->monitor(shard);
  self->send(shard, snapshot(self));
}

/// A folder that cannot be used now may be usable later: the node goes on without it.
void open(self_pointer self) {
  auto& state = self->state;
  auto opened = store::disk_store::open(state.setup.store, unix_now(self));
  if (!opened) {
    if (state.problem != opened.error().message) spdlog::error("the disk tier cannot be opened: {}", opened.error().message);
    state.problem = opened.error().message;
    return;
  }
  state.problem.clear();
  state.store = *std::move(opened);
  const auto& found = state.store->opening();
  spdlog::info("disk tier of {}: {} blocks in {} segments of {}, by {}", state.setup.about.model.value, found.blocks, found.segments,
               state.setup.store.folder.string(), found.io);
  for (const auto& [address, shard] : state.shards) self->send(shard, snapshot(self));
}

}  // namespace

disk_tier_inside::behavior_type disk_tier(self_pointer self, disk_tier_setup setup) {
  set_defaults(self, "disk_tier");
  self->set_down_handler([self](const caf::down_msg& down) { self->state.shards.erase(down.source); });
  self->state.setup = std::move(setup);
  open(self);
  self->delayed_send(self, housekeeping_interval, disk_tier_tick{});
  return {
      [self](const owner_release& release) {
        // An owner that rests has not taken back what it wished.
        if (self->state.store && !release.keep_stored) self->state.store->release(release.owner);
        return owner_released{};
      },
      [self](const owner_intent& intent) {
        const auto now = unix_now(self);
        if (self->state.store) self->state.store->apply(now, pins_of(intent, now));
      },
      [self](const core::store_put_cancel& cancel) { cancel_put(self, cancel.transfer); },
      [self](const tier_status_request&) { return status(self); },
      [self](const shard_joined&, const shard_sink_actor& shard) { introduce(self, shard); },
      [self](const snapshot_request&) {
        announce(self);
        for (const auto& [address, shard] : self->state.shards) self->send(shard, snapshot(self));
      },
      [self](const core::store_put& put, const store_client_actor& client) {
        take_batch(self, put, client, stored_forms(self->state.setup.about, put.blocks));
      },
      [self](const core::store_find& wanted, const store_client_actor& client) { self->send(client, find(self, wanted)); },
      [self](const core::store_get& get, const store_client_actor& client) {
        take_batch(self, get, client,
                   stored_forms(self->state.setup.about, *get.chain, get.from, get.slots.size(), block_tokens_of(*get.chain)));
      },
      [self](const core::store_drop& drop) {
        if (self->state.store) self->state.store->drop(drop.hashes);
        announce(self);
      },
      [self](const disk_tier_work&) {
        self->state.work_pending = false;
        work(self, wait_longest);
      },
      [self](const disk_tier_tick&) {
        if (!self->state.store) open(self);
        work(self, milliseconds{0});
        self->delayed_send(self, housekeeping_interval, disk_tier_tick{});
      },
  };
}

}  // namespace troupe::actors
