// Verbs arrive in any state and any number of times: each state says what every verb means in it, and none is an error.
#include "actors/session_life.hpp"

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::actors {
namespace {

verb_effect answered(const session_verb& verb, verb_outcome outcome, std::string detail = {}) {
  verb_effect effect;
  effect.answer.id = verb.id;
  effect.answer.outcome = outcome;
  effect.answer.detail = std::move(detail);
  return effect;
}

verb_effect accepted(const session_verb& verb) { return answered(verb, verb_outcome::accepted); }

/// The verbs that mean the same in every state but dead.
verb_effect apply_anywhere(const session_verb& verb) {
  auto effect = accepted(verb);
  switch (verb.what) {
    case verb_kind::compact:
      effect = answered(verb, verb_outcome::deferred, "superseded blocks are freed when the next prompt shows what is kept");
      effect.supersede = true;
      break;
    case verb_kind::release:
      effect.release = true;
      break;
    case verb_kind::die:
      effect.die = true;
      break;
    case verb_kind::demote:
      effect.demote = true;
      break;
    case verb_kind::prefetch:
      effect.prefetch = true;
      break;
    case verb_kind::pin:
    case verb_kind::retain:
      effect.wish = true;
      break;
    default:
      break;
  }
  return effect;
}

}  // namespace

owner_id owner_of(const session_id& id, std::uint32_t incarnation, std::uint32_t generation) noexcept {
  const auto seed = std::uint64_t{incarnation} << 32 | generation;
  return owner_id{XXH3_64bits_withSeed(id.value.data(), id.value.size(), seed)};
}

owner_id session_life::owner() const noexcept { return owner_of(info_.id, info_.incarnation, owner_generation_); }

// No incarnation is 0, so no owner is like it.
std::uint64_t session_life::number() const noexcept { return owner_of(info_.id, 0, 0).value; }

std::uint32_t session_life::output_tokens_mean() const noexcept {
  return info_.turns == 0 ? 0 : static_cast<std::uint32_t>((info_.output_tokens + info_.turns - 1) / info_.turns);
}
owner_id session_life::heir() const noexcept { return owner_of(info_.id, info_.incarnation, UINT32_MAX); }

void session_life::turn_begins(request_id id, std::int64_t now_ms) {
  info_.used_ms = now_ms;
  if (main_turn_) return;
  leave_pause(now_ms);
  main_turn_ = id;
  info_.state = session_state::generating;
}

void session_life::yield_main() noexcept {
  if (!main_turn_) return;
  main_turn_.reset();
  info_.state = session_state::idle;
}

void session_life::turn_ends(const turn_finished& finished, const std::vector<std::string>& tool_names, std::int64_t now_ms) {
  info_.used_ms = now_ms;
  ++info_.turns;
  info_.prompt_tokens += finished.usage.prompt_tokens;
  info_.cached_tokens += finished.usage.cached_tokens;
  info_.output_tokens += finished.usage.output_tokens;
  if (!is_main(finished.id)) return;
  last_main_ = std::exchange(main_turn_, std::nullopt);
  info_.state = session_state::idle;
  if (finished.how != turn_end::failed) {
    info_.miss = finished.usage.miss;
    info_.context_tokens = finished.usage.prompt_tokens + finished.usage.output_tokens;
  }
  if (finished.how == turn_end::tool_calls)
    pause(tool_names, now_ms);
  else if (pause_asked_)
    pause(std::move(*pause_asked_), now_ms);
  pause_asked_.reset();
}

void session_life::pause(std::vector<std::string> tools, std::int64_t now_ms) {
  info_.state = session_state::tool_paused;
  info_.paused_on = std::move(tools);
  paused_since_ms_ = now_ms;
}

void session_life::leave_pause(std::int64_t now_ms) {
  if (info_.state == session_state::tool_paused) last_pause_ms_ = now_ms - paused_since_ms_;
  info_.paused_on.clear();
}

verb_effect session_life::apply(const session_verb& verb, std::int64_t now_ms) {
  info_.used_ms = now_ms;
  switch (info_.state) {
    case session_state::idle:
      return apply_idle(verb, now_ms);
    case session_state::generating:
      return apply_generating(verb, now_ms);
    case session_state::tool_paused:
      return apply_tool_paused(verb, now_ms);
    case session_state::dormant:
      return apply_dormant(verb, now_ms);
    case session_state::dead:
      break;
  }
  return answered(verb, verb_outcome::missing, "the session has died");
}

verb_effect session_life::apply_idle(const session_verb& verb, std::int64_t now_ms) {
  if (verb.what == verb_kind::tool_pause) pause(verb.tools, now_ms);
  return apply_anywhere(verb);
}

verb_effect session_life::apply_generating(const session_verb& verb, std::int64_t) {
  if (verb.what == verb_kind::tool_pause) {
    pause_asked_ = verb.tools;
    return answered(verb, verb_outcome::deferred, "the pause begins when the running turn ends");
  }
  if (verb.what == verb_kind::resume) pause_asked_.reset();
  return apply_anywhere(verb);
}

verb_effect session_life::apply_tool_paused(const session_verb& verb, std::int64_t now_ms) {
  // The pause has one beginning, however often it is announced; the harness knows the names better than the traffic.
  if (verb.what == verb_kind::tool_pause && !verb.tools.empty()) info_.paused_on = verb.tools;
  if (verb.what == verb_kind::resume) {
    leave_pause(now_ms);
    info_.state = session_state::idle;
  }
  return apply_anywhere(verb);
}

verb_effect session_life::apply_dormant(const session_verb& verb, std::int64_t now_ms) {
  if (verb.what == verb_kind::tool_pause) pause(verb.tools, now_ms);
  if (verb.what == verb_kind::resume) info_.state = session_state::idle;
  return apply_anywhere(verb);
}

bool session_life::rest() {
  if (info_.state != session_state::idle && info_.state != session_state::tool_paused) return false;
  info_.paused_on.clear();
  info_.state = session_state::dormant;
  return true;
}

void session_life::die(std::int64_t now_ms) {
  info_.paused_on.clear();
  main_turn_.reset();
  info_.used_ms = now_ms;
  info_.state = session_state::dead;
}

}  // namespace troupe::actors
