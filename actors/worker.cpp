#include "actors/worker.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using self_pointer = worker_inside::stateful_pointer<worker_state>;

core::backend::completion post_to(self_pointer self) {
  return [weak = caf::actor_cast<caf::weak_actor_ptr>(self)](ticket_id ticket, core::step_result result) {
    auto done = ticket_done{ticket, std::make_shared<const core::step_result>(std::move(result))};
    if (auto strong = weak.lock()) caf::anon_send(caf::actor_cast<caf::actor>(strong), std::move(done));
  };
}

/// For a handler that says what happens now.
model_worker& device_of(self_pointer self) {
  self->state.device->set_time(now_of(self));
  return *self->state.device;
}

void keep_sink(self_pointer self, request_id id, const sequence_sink_actor& sink) {
  auto& [of, sequences] = self->state.sinks;
  if (!of.emplace(id, sink).second) return;
  auto& known = sequences[sink.address()];
  if (known.empty()) self->monitor(sink);
  known.insert(id);
}

void drop_sink(self_pointer self, request_id id) {
  auto& [of, sequences] = self->state.sinks;
  auto sink = of.extract(id);
  if (!sink) return;
  auto known = sequences.find(sink.mapped().address());
  known->second.erase(id);
  if (!known->second.empty()) return;
  self->demonitor(known->first);
  sequences.erase(known);
}

void stream(self_pointer self) {
  for (auto& progress : self->state.device->take_progress()) {
    const auto id = progress.id;
    const auto ended = progress.ended;
    if (auto sink = self->state.sinks.of.find(id); sink != self->state.sinks.of.end()) self->send(sink->second, std::move(progress));
    if (ended) drop_sink(self, id);
  }
}

void announce(self_pointer self) {
  auto changes = self->state.device->take_block_events();
  if (!changes) return;
  for (auto& [address, shard] : self->state.shards) self->send(shard, *changes);
}

/// After `announce`, so that what the tier is offered is what the shards have heard of.
void tell_tier(self_pointer self) {
  const auto& tier = self->state.tier;
  if (!tier) return;
  const auto me = caf::actor_cast<tier_client_actor>(self);
  auto told = self->state.device->take_tier_messages(now_of(self));
  for (auto& commit : told.commits) self->send(tier, std::move(commit));
  for (auto& closing : told.closings) self->send(tier, std::move(closing));
  for (const auto& outlook : told.outlooks) self->send(tier, outlook);
  if (told.offer) self->send(tier, *std::move(told.offer), me);
  for (auto& question : told.questions) self->send(tier, std::move(question), me);
  for (auto& touch : told.touches) self->send(tier, std::move(touch));
  for (const auto& end : told.ends) self->send(tier, end);
}

void report(self_pointer self) {
  for (auto& [address, shard] : self->state.shards) self->send(shard, self->state.device->load());
}

/// After every change: feeds the backend, tells everyone what happened, and ticks as long as there is work.
void settle(self_pointer self) {
  auto& state = self->state;
  device_of(self).pump(now_of(self));
  stream(self);
  for (const auto& done : state.device->take_prefetched()) state.prefetches.answer(done.id, done);
  announce(self);
  tell_tier(self);
  const auto idle = state.device->idle();
  if (idle && !state.was_idle) report(self);
  state.was_idle = idle;
  if ((idle && state.device->tiers().quiet()) || state.tick_pending) return;
  state.tick_pending = true;
  self->delayed_send(self, limits::load_report_interval, worker_tick{});
}

void change_tier(self_pointer self, const tier_below& below) {
  const auto& tier = below.handle;
  self->state.tier = tier;
  if (tier) {
    self->monitor(tier);
    self->state.device->tiers().attach(below.blocks, below.rule);
  } else {
    self->state.device->tiers().detach();
  }
  settle(self);
}

void forget(self_pointer self, const caf::actor_addr& dead) {
  self->state.shards.erase(dead);
  if (self->state.tier && dead == self->state.tier.address()) return change_tier(self, {});
  auto sink = self->state.sinks.sequences.extract(dead);
  if (!sink) return;
  for (auto id : sink.mapped()) {
    self->state.sinks.of.erase(id);
    self->state.device->cancel(id);
  }
  settle(self);
}

/// Answers first: the session must know that it was accepted before it sees the first event.
caf::result<request_id> admit(self_pointer self, admit_request& request, const sequence_sink_actor& sink) {
  auto admitted = device_of(self).admit(std::move(request), now_of(self));
  if (!admitted) return make_error(admitted.error());
  keep_sink(self, *admitted, sink);
  auto promise = self->make_response_promise<request_id>();
  promise.deliver(*admitted);
  settle(self);
  return promise;
}

caf::result<prefetch_done> prefetch(self_pointer self, const prefetch_request& request) {
  auto promise = self->make_response_promise<prefetch_done>();
  self->state.prefetches.add(request.id, promise);
  if (auto begun = device_of(self).prefetch(request, now_of(self)); !begun)
    self->state.prefetches.refuse(request.id, make_error(begun.error()));
  settle(self);
  return promise;
}

void introduce(self_pointer self, const shard_sink_actor& shard) {
  announce(self);
  if (self->state.shards.emplace(shard.address(), shard).second) self->monitor(shard);
  self->send(shard, self->state.device->snapshot());
  self->send(shard, self->state.device->load());
}

/// To the shard that lost count; to all of them when the sender is none that we know.
void repeat_snapshot(self_pointer self) {
  announce(self);
  const auto& shards = self->state.shards;
  const auto asking = shards.find(caf::actor_cast<caf::actor_addr>(self->current_sender()));
  if (asking != shards.end()) return self->send(asking->second, self->state.device->snapshot());
  for (auto& [address, shard] : shards) self->send(shard, self->state.device->snapshot());
}

std::optional<failure> start(self_pointer self, worker_setup& setup) {
  self->state.make_backend = std::move(setup.make_backend);
  auto backend = self->state.make_backend(post_to(self));
  if (!backend) return backend.error();
  auto device = model_worker::make(std::move(setup.device), *std::move(backend));
  if (!device) return device.error();
  self->state.device = *std::move(device);
  return std::nullopt;
}

pause_forecast finish(self_pointer self, const turn_outcome& outcome) {
  if (self->state.tier) self->send(self->state.tier, core::turn_closing{outcome.owner, closing_of(outcome), outcome.roles});
  auto forecast = device_of(self).finish(outcome);
  settle(self);  // a session at rest may leave room for a new one
  return forecast;
}

owner_released release(self_pointer self, const owner_release& release) {
  auto released = device_of(self).release(release);
  // Behind the commits that name it: the tier must not learn of an owner after its end.
  if (self->state.tier) caf::anon_send(self->state.tier, release);
  settle(self);
  return released;
}

}  // namespace

worker_inside::behavior_type worker(self_pointer self, worker_setup setup) {
  set_defaults(self, "worker");
  self->set_down_handler([self](const caf::down_msg& down) { forget(self, down.source); });
  if (auto problem = start(self, setup)) {
    self->quit(make_error(*problem));
    return worker_inside::behavior_type::make_empty_behavior();
  }
  return {
      [self](admit_request& request, const sequence_sink_actor& sink) { return admit(self, request, sink); },
      [self](const sequence_cancel& cancel) {
        self->state.device->cancel(cancel.id);
        settle(self);
      },
      [self](const turn_outcome& outcome) { return finish(self, outcome); },
      [self](const owner_forget& forgotten) {
        device_of(self).forget(forgotten);
        if (self->state.tier) self->send(self->state.tier, forgotten);
        settle(self);
      },
      [self](const owner_intent& intent) {
        if (self->state.tier) self->send(self->state.tier, intent);
        return device_of(self).apply(intent);
      },
      [self](const owner_release& gone) { return release(self, gone); },
      [self](const owner_demote& demote) {
        const auto told = device_of(self).demote(demote.owner);
        settle(self);
        return told;
      },
      [self](const prefetch_request& request) { return prefetch(self, request); },
      [self](const worker_status_request&) { return self->state.device->status(); },
      [self](const shard_joined&, const shard_sink_actor& shard) { introduce(self, shard); },
      [self](const snapshot_request&) { repeat_snapshot(self); },
      [self](const ticket_done& done) {
        device_of(self).complete(done.ticket, *done.result);
        settle(self);
      },
      [self](const tier_below& below) { change_tier(self, below); },
      [self](const core::slot_grant& grant) {
        device_of(self).tiers().granted(grant);
        settle(self);
      },
      [self](const core::lease_grant& grant) {
        device_of(self).tiers().granted(grant);
        settle(self);
      },
      [self](const worker_tick&) {
        self->state.tick_pending = false;
        if (!self->state.device->idle()) report(self);
        settle(self);
      },
  };
}

}  // namespace troupe::actors
