// What a main turn finds of the one before: compared when its prompt is known, remembered when it has ended.
#include <algorithm>

#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"

namespace troupe::actors {

void compare_prompt(session_pointer self, session_turn& of) {
  auto& state = self->state;
  const auto& request = of.work.request();
  const auto width = of.work.model().block_tokens;
  cache_overlap overlap;
  if (!state.cached || state.history.is_empty()) {
    // Nothing is known of what was there: all of the prompt might have been. Only an answered turn of the agent's own has a context.
    overlap.last_tokens = static_cast<std::uint32_t>(of.work.tokens().size());
    overlap.why = state.life.info().context_tokens == 0 ? cache_miss_reason::first_turn : cache_miss_reason::evicted;
    return of.work.set_overlap(overlap);
  }
  const auto& last = *state.cached;
  const auto departure = state.prompts.last_departure();
  const cache_departure now{of.work.model().id, request.cache_salt, request.prompt.template_arguments, request.prompt.messages.size(),
                            departure.before,   departure.after,    !state.superseded.empty()};
  // The last token of an answer may never have been computed.
  overlap.last_tokens = last.tokens == 0 ? 0 : (last.tokens - 1) / width * width;
  overlap.shared_tokens = std::min(static_cast<std::uint32_t>(state.history.shared_blocks(of.work.chain())) * width, overlap.last_tokens);
  overlap.last_worker = last.worker;
  overlap.why = reason_of(last, now);
  of.work.set_overlap(overlap);
}

void remember_cached(session_pointer self, const session_turn& ended) {
  const auto& work = ended.work;
  const auto& request = work.request();
  cache_basis basis{work.model().id, request.cache_salt, request.prompt.template_arguments, request.prompt.messages.size()};
  basis.tokens = static_cast<std::uint32_t>(work.tokens().size());
  basis.has_reasoned = !work.reasoning().empty();
  basis.worker = work.worker();
  self->state.cached = std::move(basis);
}

}  // namespace troupe::actors
