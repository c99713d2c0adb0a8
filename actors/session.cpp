// The behaviour, and what concerns the session as a whole: its clock, its peers, its records. One timer serves every deadline, retry and
// the idle ttl; it may ring early or twice, so what is due is decided when it rings.
#include "actors/session.hpp"

#include <spdlog/spdlog.h>

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/actor_defaults.hpp"
#include "actors/session_actor_state.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

/// When something of this session is due next.
std::optional<core::instant> next_due(const session_actor_state& state) {
  std::optional<core::instant> due;
  const auto include = [&](core::instant at) { due = due ? std::min(*due, at) : at; };
  for (const auto& [id, each] : state.turns) {
    include(each.work.deadline());
    if (each.retry_at) include(*each.retry_at);
  }
  if (state.pause.prefetch_at) include(*state.pause.prefetch_at);
  if (state.turns.empty() && state.cache_ttl.count() > 0) include(state.used_at + state.cache_ttl);
  const auto rests = state.life.state() == session_state::dormant || state.life.state() == session_state::dead;
  if (state.turns.empty() && !rests) include(state.used_at + state.setup.idle_ttl);
  return due;
}

void take_tick(session_pointer self) {
  auto& state = self->state;
  const auto now = now_of(self);
  if (state.tick_at && *state.tick_at <= now) state.tick_at.reset();
  const auto late = turn_ids(self, [&](const session_turn& each) { return each.work.deadline() <= now; });
  for (const auto id : late) fail_turn(self, id, {errc::deadline_exceeded, "the turn ran past its deadline", {}});
  const auto again = turn_ids(self, [&](const session_turn& each) { return each.retry_at && *each.retry_at <= now; });
  for (const auto id : again) resume_turn(self, id);
  if (state.pause.prefetch_at && *state.pause.prefetch_at <= now) prefetch_for_return(self);
  if (state.turns.empty() && state.cache_ttl.count() > 0 && state.used_at + state.cache_ttl <= now) expire_context(self);
  if (state.turns.empty() && state.used_at + state.setup.idle_ttl <= now) go_dormant(self);
  arm_tick(self);
}

void take_down(session_pointer self, const caf::actor_addr& peer) {
  auto& state = self->state;
  state.monitored.erase(peer);
  const auto left = turn_ids(self, [&](const session_turn& each) { return each.sink.address() == peer; });
  for (const auto id : left) fail_turn(self, id, {errc::cancelled, "the caller went away", {}});
  std::erase_if(state.workers, [&](const session_worker& each) { return each.handle.address() == peer; });
  const auto lost = turn_ids(self, [&](const session_turn& each) { return each.worker && each.worker.address() == peer; });
  for (const auto id : lost) lose_peer(self, id);
  if (std::erase_if(state.children, [&](const auto& each) { return each.second.address() == peer; }) > 0) {
    state.life.set_children(state.children.size());
    tell_home(self);
  }
}

/// It finishes what it has begun.
void take_orphaned(session_pointer self) {
  self->state.draining = self->state.orphaned = true;
  if (self->state.turns.empty()) after_last_turn(self);
}

void take_services(session_pointer self, const session_services& services) {
  auto& current = self->state.setup.services;
  const bool router_changed = current.router != services.router;
  const bool renderer_changed = current.renderer != services.renderer;
  current = services;
  // What was asked of the one that died is asked again; its answer will never come.
  const auto asking = turn_ids(self, [&](const session_turn& each) {
    if (each.retry_at) return false;
    return each.work.has_prompt() ? router_changed && each.work.phase() == turn_phase::routing : renderer_changed;
  });
  for (const auto id : asking) resume_turn(self, id);
}

caf::result<session_drained> take_drain(session_pointer self, const session_drain& drain) {
  auto& state = self->state;
  state.draining = true;
  auto promise = self->make_response_promise<session_drained>();
  state.drain_waiting.push_back(promise);
  if (drain.now) fail_all_turns(self, {errc::draining, "the node is shutting down", {}});
  if (state.turns.empty()) after_last_turn(self);
  return promise;
}

void set_up(session_pointer self, session_setup setup) {
  auto& state = self->state;
  state.life = session_life{setup.info};
  state.setup = std::move(setup);
  state.wishes = session_wishes{state.setup.intent, now_of(self), unix_ms_of(self)};
  state.used_at = now_of(self);
  set_defaults(self, "session");
  outlive_errors(self, "session");
  self->set_down_handler([self](const caf::down_msg& down) { take_down(self, down.source); });
  arm_tick(self);
}

}  // namespace

void outlive_errors(caf::scheduled_actor* self, const std::string& name) {
  self->set_error_handler([name](caf::scheduled_actor*, caf::error& error) {
    spdlog::warn("{}: a peer answered a message with an error: {}", name, to_failure(error).message);
  });
}

std::int64_t unix_ms_of(session_pointer self) {
  return self->state.setup.unix_offset_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now_of(self)).count();
}

void monitor_once(session_pointer self, const caf::strong_actor_ptr& peer) {
  if (peer && self->state.monitored.insert(caf::actor_cast<caf::actor_addr>(peer)).second) self->monitor(caf::actor_cast<caf::actor>(peer));
}

void forget_worker(session_pointer self, session_turn& of) {
  auto& state = self->state;
  const auto worker = std::exchange(of.worker, worker_actor{});
  const auto uses = [&](const auto& each) { return &each.second != &of && each.second.worker == worker; };
  if (!worker || std::ranges::any_of(state.turns, uses)) return;
  if (state.monitored.erase(worker.address()) > 0) self->demonitor(worker.address());
}

void arm_tick(session_pointer self) {
  auto& state = self->state;
  auto due = next_due(state);
  // The clock keeps an actor until its last message: a short one, sent again, lets the session go soon after its death.
  if (due) due = std::min<core::instant>(*due, now_of(self) + limits::session_tick_max);
  if (!due || (state.tick_at && *state.tick_at <= *due)) return;
  state.tick_at = due;
  const caf::actor_clock::time_point at{std::chrono::duration_cast<caf::actor_clock::duration_type>(*due)};
  self->scheduled_send(caf::actor_cast<session_local_actor>(self), at, session_tick{});
}

void tell_home(session_pointer self) {
  auto& state = self->state;
  const auto& info = state.life.info();
  session_activity activity{info, !state.workers.empty(), {}, static_cast<std::uint32_t>(state.turns.size())};
  if (activity.has_worker) activity.worker = state.workers.back().id;
  self->send(state.setup.home, std::move(activity));
}

void keep_wishes(session_pointer self) {
  auto& state = self->state;
  auto record = state.wishes.take_record(now_of(self), unix_ms_of(self));
  if (!record) return;
  record->id = state.life.info().id;
  record->incarnation = state.life.info().incarnation;
  self->send(state.setup.home, *std::move(record));
}

void tell_lifecycle(session_pointer self, std::string_view verb, const verb_answer& answer) {
  lifecycle_record record{self->state.life.info().id, std::string{verb}, std::string{to_string(answer.outcome)}, answer.blocks_freed,
                          unix_ms_of(self)};
  self->send(self->state.setup.services.trace, std::move(record));
}

void after_last_turn(session_pointer self) {
  auto& state = self->state;
  for (auto& promise : state.drain_waiting) promise.deliver(state.drained);
  state.drain_waiting.clear();
  if (state.orphaned && state.life.state() != session_state::dead) self->quit();
}

session_local_actor::behavior_type session(session_pointer self, session_setup setup) {
  set_up(self, std::move(setup));
  return {
      [self](turn_request& request, const turn_sink_actor& sink) { return begin_turn(self, request, sink); },
      [self](const turn_cancel& cancel) {
        fail_turn(self, cancel.id, {cancel.why, "the turn was cancelled", {}});
      },
      [self](const session_verb& verb) { return take_verb(self, verb); },
      [self](const session_find&) { return self->state.life.info(); },
      [self](const session_child& child, const session_kin_actor& handle) { take_child(self, child.id, handle); },
      [self](const sequence_progress& progress) { take_progress(self, progress); },
      [self](const session_services& services) { take_services(self, services); },
      [self](const session_tick&) { take_tick(self); },
      [self](const session_orphaned&) { take_orphaned(self); },
      [self](const session_drain& drain) { return take_drain(self, drain); },
      [self](const session_bequest& bequest) { return take_bequest(self, bequest); },
  };
}

session_local_actor spawn_session(caf::actor_system& system, session_setup setup) { return system.spawn(session, std::move(setup)); }

}  // namespace troupe::actors
