#include "actors/router_shard.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using self_pointer = router_shard_inside::stateful_pointer<router_shard_state>;

// Deadlines are checked this often: a turn's deadline is minutes away, so 50 ms more do not matter.
constexpr auto tick_interval = std::chrono::milliseconds{50};

core::route_ask ask_of(const route_request& request, core::instant now) {
  core::route_ask ask;
  ask.id = request.id;
  ask.model = request.model;
  for (const auto& block : request.chain) {
    ask.symbols.push_back(block.symbol);
    ask.ids.push_back(block.hash.low);
  }
  ask.question.prompt_tokens = request.prompt_tokens;
  ask.question.output_tokens = request.output_tokens;
  if (request.has_last_worker) ask.question.last_worker = request.last_worker;
  if (request.has_parent_worker) ask.question.parent_worker = request.parent_worker;
  ask.priority = request.priority;
  const auto wait = std::chrono::milliseconds{request.timeout_ms};
  ask.deadline = now + (request.timeout_ms == 0 ? core::instant{limits::request_timeout} : core::instant{wait});
  return ask;
}

core::worker_load load_of(const load_report& report) {
  return {.running = report.running,
          .waiting = report.waiting,
          .free_blocks = report.free_blocks,
          .evictable_blocks = report.evictable_blocks,
          .prefill_tokens_waiting = report.prefill_tokens_waiting,
          .prefill_tokens_per_s = report.prefill_tokens_per_s,
          .decode_tokens_per_s = report.decode_tokens_per_s,
          .onboard_blocks_per_s = report.onboard_blocks_per_s};
}

/// After every change: answers what was decided, and ticks as long as something has a deadline.
void settle(self_pointer self) {
  auto& state = self->state;
  for (auto& answer : state.queue->take_answers()) {
    if (answer.refusal.code != errc::none) {
      state.promises.refuse(answer.id, make_error(answer.refusal));
    } else {
      const route_grant grant{answer.id, answer.worker, answer.matched_blocks, answer.waited};
      state.promises.answer(answer.id, grant, state.workers.at(answer.worker));
    }
  }
  if (state.tick_pending || !state.queue->needs_tick()) return;
  state.tick_pending = true;
  self->delayed_send(self, tick_interval, router_tick{});
}

void join(self_pointer self, const worker_joined& joined, const worker_actor& worker) {
  auto& state = self->state;
  const auto old = state.workers.find(joined.worker);
  const auto before = old == state.workers.end() ? worker_actor{} : old->second;
  state.workers.insert_or_assign(joined.worker, worker);  // First: whoever waited for this worker is granted it by `join`.
  if (!state.queue->join(joined.worker, joined.model, joined.epoch, joined.block_tokens, now_of(self))) {
    state.workers.insert_or_assign(joined.worker, before);
    return;
  }
  if (before) self->demonitor(before.address());
  self->monitor(worker);
  self->send(worker, shard_joined{state.shard}, shard_sink_actor{self});
  settle(self);
}

void join_tier(self_pointer self, const tier_joined& joined, const tier_actor& tier) {
  auto& state = self->state;
  std::vector<worker_id> readers;
  for (const auto number : joined.workers) readers.push_back({number});
  if (!state.queue->join_tier(joined.tier, joined.model, joined.epoch, std::move(readers), now_of(self))) return;
  if (const auto before = state.tiers.find(joined.tier); before != state.tiers.end()) self->demonitor(before->second.address());
  state.tiers.insert_or_assign(joined.tier, tier);
  self->monitor(tier);
  self->send(tier, shard_joined{state.shard}, shard_sink_actor{self});
  settle(self);
}

/// Takes the dead holder out of `holders`, if it was one of them.
template <class Holders>
bool forget_holder(self_pointer self, Holders& holders, const caf::actor_addr& dead) {
  const auto gone = std::ranges::find_if(holders, [&dead](const auto& each) { return each.second.address() == dead; });
  if (gone == holders.end()) return false;
  const auto id = gone->first;
  holders.erase(gone);
  self->state.queue->leave(id, now_of(self));
  settle(self);
  return true;
}

void forget(self_pointer self, const caf::actor_addr& dead) {
  if (!forget_holder(self, self->state.workers, dead)) forget_holder(self, self->state.tiers, dead);
}

void ask_snapshot(self_pointer self, worker_id holder) {
  const auto& [workers, tiers] = std::tie(self->state.workers, self->state.tiers);
  if (const auto worker = workers.find(holder); worker != workers.end()) return self->send(worker->second, snapshot_request{holder});
  if (const auto tier = tiers.find(holder); tier != tiers.end()) self->send(tier->second, snapshot_request{holder});
}

void note_blocks(self_pointer self, const block_events& changes) {
  const core::block_changes known{changes.epoch, changes.first, changes.events, changes.snapshot};
  const auto outcome = self->state.queue->apply(changes.worker, known, now_of(self));
  if (outcome == core::change_outcome::gap) ask_snapshot(self, changes.worker);
  settle(self);
}

}  // namespace

router_shard_inside::behavior_type router_shard(self_pointer self, router_setup setup) {
  set_defaults(self, "router_shard");
  self->set_down_handler([self](const caf::down_msg& down) { forget(self, down.source); });
  auto queue = core::route_queue::make(std::move(setup.queue));
  if (!queue) {
    self->quit(make_error(queue.error()));
    return router_shard_inside::behavior_type::make_empty_behavior();
  }
  self->state.shard = setup.shard;
  self->state.queue.emplace(*std::move(queue));
  return {
      [self](const route_request& request) {
        auto promise = self->make_response_promise<route_grant, worker_actor>();
        self->state.promises.add(request.id, promise);
        self->state.queue->ask(ask_of(request, now_of(self)), now_of(self));
        settle(self);
        return promise;
      },
      [self](const route_end& ended) {
        self->state.promises.refuse(ended.id, make_error(errc::cancelled, "the turn was given up"));
        self->state.queue->end(ended.id, now_of(self));
        settle(self);
      },
      [self](const worker_joined& joined, const worker_actor& worker) { join(self, joined, worker); },
      [self](const tier_joined& joined, const tier_actor& tier) { join_tier(self, joined, tier); },
      [self](const block_events& changes) { note_blocks(self, changes); },
      [self](const load_report& report) {
        self->state.queue->report(report.worker, report.epoch, load_of(report));
        settle(self);
      },
      [self](const router_tick&) {
        self->state.tick_pending = false;
        self->state.queue->tick(now_of(self));
        settle(self);
      },
  };
}

}  // namespace troupe::actors
