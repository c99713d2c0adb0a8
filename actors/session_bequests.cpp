// What a dead subagent leaves: the begin of its prompts, system and tools, which its parent's next subagent will ask for again. The parent
// owns it from then on, under an owner of its own that ends with it. Everything else goes at once.
#include <algorithm>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {

void find_heir(session_pointer self, std::function<void(owner_id)> then) {
  auto& state = self->state;
  // Whoever has bounded where or how long a context may be kept has bounded its begin too: an heir knows no such bound.
  const bool is_bounded = state.max_tier != core::tier_level::remote;
  if (!state.setup.parent || state.head.empty() || state.workers.empty() || is_bounded) return then({});
  session_bequest bequest{state.life.info().id, {}};
  for (const auto& each : state.workers) bequest.workers.emplace_back(each.id, each.handle);
  self->request(state.setup.parent, std::chrono::milliseconds{limits::release_wait}, std::move(bequest))
      .then([then](const session_heir& heir) { then(heir.owner); }, [then](const caf::error&) { then({}); });
}

/// One that dies or sleeps inherits nothing: what it had in memory is on its way out.
caf::result<session_heir> take_bequest(session_pointer self, const session_bequest& bequest) {
  auto& state = self->state;
  const bool rests = state.life.state() == session_state::dead || state.life.state() == session_state::dormant;
  if (rests || state.draining) return make_error(errc::session_dead, "the parent of " + bequest.child.value + " inherits nothing");
  for (const auto& [id, handle] : bequest.workers) {
    // By handle: of two incarnations of one worker either side may know the one that has ended.
    if (std::ranges::find(state.workers, handle, &session_worker::handle) != state.workers.end()) continue;
    if (state.workers.size() >= limits::workers_per_session_max) return make_error(errc::queue_full, "the session knows too many workers");
    state.workers.insert(state.workers.begin(), {id, handle});  // not the one that was used last
  }
  state.has_inherited = true;
  return session_heir{state.life.heir()};
}

void release_inherited(session_pointer self) {
  auto& state = self->state;
  if (!state.has_inherited) return;
  const owner_release release{state.life.heir(), state.life.state() == session_state::dormant, core::eviction_cause::death};
  for (const auto& each : state.workers) caf::anon_send(each.handle, release);
  for (const auto& tier : state.setup.services.tiers) caf::anon_send(tier, release);
}

}  // namespace troupe::actors
