// What comes between two turns: the worker hears how the answer ended and says when the session may be back; shortly before, what has left
// the device meanwhile is fetched. Whether that was in time is known when the next turn comes.
#include <algorithm>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"
#include "engine/core/retention/pause_model.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using stage = session_pause::prefetch_stage;
using std::chrono::milliseconds;

core::turn_end end_of(turn_end how) {
  switch (how) {
    case turn_end::stop:
      return core::turn_end::stop;
    case turn_end::length:
      return core::turn_end::length;
    case turn_end::tool_calls:
      return core::turn_end::tool_calls;
    case turn_end::failed:
      break;
  }
  return core::turn_end::unknown;
}

/// A length, or a time to come.
std::optional<std::int64_t> pause_expected(const agent_hints& hints, std::int64_t now_unix_ms) {
  if (hints.pause_ms > 0) return hints.pause_ms;
  if (hints.resume_at_ms > now_unix_ms) return hints.resume_at_ms - now_unix_ms;
  return std::nullopt;
}

void take_forecast(session_pointer self, std::uint64_t number, const pause_forecast& forecast) {
  auto& state = self->state;
  auto& pause = state.pause;
  if (pause.number != number) return;
  pause.forecast = forecast;
  const bool may_prefetch = state.life.state() == session_state::tool_paused && !state.setup.services.tiers.empty();
  if (!may_prefetch || forecast.early_ms < 0 || pause.prefetch != stage::none) return;
  pause.prefetch_at = pause.since + milliseconds{std::max<std::int64_t>(0, forecast.early_ms - std::max<std::int64_t>(0, forecast.load_ms))};
  arm_tick(self);
}

/// Tells the worker `told`, which may say more than before.
void tell_outcome(session_pointer self) {
  auto& pause = self->state.pause;
  const auto number = ++pause.number;
  self->request(pause.worker, milliseconds{limits::release_wait}, pause.told)
      .then([=](const pause_forecast& forecast) { take_forecast(self, number, forecast); },
            [](const caf::error&) { /* the worker has gone: nobody prefetches */ });
}

void take_prefetched(session_pointer self, std::uint64_t number, std::uint32_t blocks) {
  auto& pause = self->state.pause;
  if (pause.number != number) return;
  pause.prefetch = stage::ready;
  pause.blocks_prefetched = blocks;
}

}  // namespace

void begin_pause(session_pointer self, const session_turn& ended, const worker_actor& worker, const turn_finished& finished) {
  auto& state = self->state;
  turn_outcome outcome{finished.id, ended.work.owner(), end_of(finished.how), finished.usage.prompt_tokens,
                       finished.usage.output_tokens, {}, ended.work.told_roles()};
  if (!state.life.ended_last(finished.id)) {
    outcome.is_side = true;
    if (worker) caf::anon_send(worker, outcome);  // nothing follows from its forecast
    return;
  }
  auto& pause = state.pause;
  pause = session_pause{.number = pause.number, .told = outcome, .worker = worker, .since = now_of(self)};
  pause.answer = ended.work.answer();
  if (finished.how != turn_end::failed) {
    state.history.remember(ended.work.owner(), ended.work.request().prompt.messages, ended.work.whole_chain());
    remember_cached(self, ended);
  }
  if (const auto expected = pause_expected(ended.work.request().hints, unix_ms_of(self))) pause.told.pause.expected_ms = *expected;
  if (state.life.state() == session_state::tool_paused) note_tools(self, std::exchange(state.pause_announced_ms, std::nullopt));
  if (worker) tell_outcome(self);
}

void note_tools(session_pointer self, std::optional<std::uint32_t> expected_ms) {
  auto& state = self->state;
  auto& told = state.pause.told;
  told.end = core::turn_end::tool_calls;
  told.pause.tool = core::tool_of(state.life.info().paused_on);
  told.pause.is_subagent = !state.life.info().parent.value.empty();
  if (expected_ms) told.pause.expected_ms = *expected_ms;
}

void repeat_outcome(session_pointer self, const session_verb& verb) {
  auto& state = self->state;
  const auto expected = verb.expect_ms > 0 ? std::optional{verb.expect_ms} : std::nullopt;
  if (state.life.state() == session_state::generating) state.pause_announced_ms = expected;
  if (!state.pause.worker || state.life.state() != session_state::tool_paused) return;
  note_tools(self, expected);
  tell_outcome(self);
}

void prefetch_for_return(session_pointer self) {
  auto& pause = self->state.pause;
  pause.prefetch_at.reset();
  if (!pause.worker || pause.prefetch != stage::none || self->state.setup.services.tiers.empty()) return;
  auto request = make_prefetch(self);
  if (!request) return;
  pause.prefetch = stage::asked;
  const auto number = pause.number;
  self->request(pause.worker, milliseconds{limits::verb_wait} + milliseconds{limits::release_wait}, *std::move(request))
      .then([=](const prefetch_done& done) { take_prefetched(self, number, done.blocks_onboarded); },
            [=](const caf::error&) { take_prefetched(self, number, 0); });
}

tool_pause end_pause(session_pointer self, pause_end how) {
  auto& state = self->state;
  const auto pause = std::exchange(state.pause, session_pause{.number = state.pause.number + 1});
  if (pause.told.end != core::turn_end::tool_calls) return {};
  tool_pause over = pause.told.pause;
  pause_record record{.session = state.life.info().id, .tools = state.life.info().paused_on, .expected_ms = over.expected_ms};
  record.early_ms = pause.forecast.early_ms;
  record.median_ms = pause.forecast.median_ms;
  record.late_ms = pause.forecast.late_ms;
  record.at_ms = unix_ms_of(self);
  if (how == pause_end::turn)
    record.took_ms = over.took_ms = std::chrono::duration_cast<milliseconds>(now_of(self) - pause.since).count();
  if (pause.prefetch == stage::asked) record.prefetch = how == pause_end::turn ? prefetch_end::late : prefetch_end::wasted;
  if (pause.prefetch == stage::ready && pause.blocks_prefetched > 0)
    record.prefetch = how == pause_end::turn ? prefetch_end::in_time : prefetch_end::wasted;
  record.blocks_prefetched = pause.blocks_prefetched;
  self->send(state.setup.services.trace, std::move(record));
  return over;
}

}  // namespace troupe::actors
