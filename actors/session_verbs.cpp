// Verbs and their consequences: what a session's workers cache for it is given up, and a death takes the children along. An answer that
// carries a sum of freed blocks waits for the peers, each for a bounded time; repeats of the verb meanwhile wait for the same answer.
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

/// Adds up what several peers freed and tells the sum once, when the last has answered or run out of time.
class freed_sum {
 public:
  explicit freed_sum(std::function<void(std::uint32_t)> done) : done_(std::move(done)) {}
  void expect() { ++waiting_; }
  void arrive(std::uint32_t freed) {
    freed_ += freed;
    if (--waiting_ == 0) done_(freed_);
  }

 private:
  std::function<void(std::uint32_t)> done_;
  std::uint32_t waiting_ = 1, freed_ = 0;  // one for whoever asks, so that the sum is told only after all were asked
};
using sum_pointer = std::shared_ptr<freed_sum>;

/// The sum is of devices: what the tiers hold are copies.
void release_owner(session_pointer self, owner_release release, const sum_pointer& sum) {
  release.keep_stored = self->state.life.state() == session_state::dormant;
  for (const auto& tier : self->state.setup.services.tiers) caf::anon_send(tier, release);
  for (const auto& each : self->state.workers) {
    sum->expect();
    self->request(each.handle, std::chrono::milliseconds{limits::release_wait}, release)
        .then([sum](const owner_released& released) { sum->arrive(released.blocks_freed); }, [sum](const caf::error&) { sum->arrive(0); });
  }
}

/// What it wishes now it wishes as another owner.
void release_resting(session_pointer self) {
  const auto owner = std::exchange(self->state.resting, std::nullopt);
  if (!owner) return;
  for (const auto& tier : self->state.setup.services.tiers) caf::anon_send(tier, owner_release{*owner, false, core::eviction_cause::superseded});
}

/// Gives up everything that the session owns; what its running turns still add is released when they end.
void release_blocks(session_pointer self, core::eviction_cause cause, const sum_pointer& sum, owner_id heir = {}) {
  auto& state = self->state;
  end_speculation(self, 0, 0);
  release_resting(self);
  for (const auto& each : std::exchange(state.superseded, {}))
    release_owner(self, {each.owner, false, core::eviction_cause::compaction, {}, {}}, sum);
  owner_release release{state.life.owner(), false, cause, heir, {}};
  if (heir.value != 0) release.head = std::exchange(state.head, {});
  state.life.release_owner();
  release_owner(self, std::move(release), sum);
  const auto rests = state.life.state();
  if (state.has_inherited && (rests == session_state::dead || rests == session_state::dormant))
    release_owner(self, {state.life.heir(), false, cause, {}, {}}, sum);
}

/// The history so far keeps its blocks under an owner of its own: a prefix of it returns with the next prompt.
void supersede(session_pointer self) {
  auto& state = self->state;
  // Compacted again and again without a turn between: nothing was computed under the present owner.
  if (state.superseded.size() >= limits::superseded_owners_max) return;
  end_speculation(self, 0, 0);
  state.superseded.push_back({state.life.owner(), state.head});
  state.life.release_owner();
}

void kill_children(session_pointer self, const std::string& verb_id, const sum_pointer& sum) {
  for (const auto& [id, child] : self->state.children) {
    sum->expect();
    self->request(child, std::chrono::milliseconds{limits::verb_wait}, session_verb{id, verb_id, verb_kind::die, 0, {}})
        .then([sum](const verb_answer& answer) { sum->arrive(answer.blocks_freed); }, [sum](const caf::error&) { sum->arrive(0); });
  }
}

/// The verb has become `answer`: it is remembered and everyone who asked is told.
void settle(session_pointer self, const std::string& key, std::string_view verb, const verb_answer& answer) {
  auto& state = self->state;
  state.verbs.remember(answer);
  tell_lifecycle(self, verb, answer);
  if (const auto waiting = state.verbs_waiting.find(key); waiting != state.verbs_waiting.end()) {
    for (auto& promise : waiting->second) promise.deliver(answer);
    state.verbs_waiting.erase(waiting);
  }
}

void finish_death(session_pointer self, const std::string& key, verb_answer answer, std::uint32_t freed) {
  answer.blocks_freed = freed;
  release_inherited(self);  // again: a child may have died while this session did
  // The directory hears of the death before the harness does: a turn that follows the answer must find a new incarnation.
  tell_home(self);
  self->send(self->state.setup.home, session_gone{self->state.life.info().id});
  settle(self, key, to_string(verb_kind::die), answer);
  self->quit();
}

void begin_release(session_pointer self, const std::string& key, const session_verb& verb, verb_answer answer) {
  auto sum = std::make_shared<freed_sum>([=](std::uint32_t freed) mutable {
    answer.blocks_freed = freed;
    settle(self, key, to_string(verb.what), answer);
  });
  release_blocks(self, core::eviction_cause::superseded, sum);
  sum->arrive(0);
}

void begin_demote(session_pointer self, const std::string& key, verb_answer answer) {
  auto sum = std::make_shared<freed_sum>([=](std::uint32_t blocks) mutable {
    answer.detail = std::to_string(blocks) + " blocks leave the device next";
    settle(self, key, to_string(verb_kind::demote), answer);
  });
  for (const auto& each : self->state.workers) {
    sum->expect();
    self->request(each.handle, std::chrono::milliseconds{limits::release_wait}, owner_demote{self->state.life.owner()})
        .then([sum](const owner_demoted& demoted) { sum->arrive(demoted.blocks); }, [sum](const caf::error&) { sum->arrive(0); });
  }
  sum->arrive(0);
}

/// Asks the worker that the session used last: its next turn prefers that one.
void begin_prefetch(session_pointer self, const std::string& key, verb_answer answer) {
  auto& state = self->state;
  const auto finish = [self, key](verb_answer told) { settle(self, key, to_string(verb_kind::prefetch), told); };
  auto request = make_prefetch(self);
  if (!request || state.workers.empty()) {
    answer.outcome = verb_outcome::missing;
    answer.detail = "no prompt is remembered that could be fetched";
    return finish(answer);
  }
  const auto blocks = request->chain.size();
  const std::chrono::milliseconds wait{request->timeout_ms};
  self->request(state.workers.back().handle, wait + std::chrono::milliseconds{limits::release_wait}, *std::move(request))
      .then(
          [=](const prefetch_done& done) mutable {
            answer.detail = std::to_string(done.blocks_ready) + " of " + std::to_string(blocks) + " blocks are on the device, " +
                            std::to_string(done.blocks_onboarded) + " came from below";
            finish(answer);
          },
          [=](const caf::error& error) mutable {
            answer.outcome = verb_outcome::rejected;
            answer.detail = to_failure(error).message;
            finish(answer);
          });
}

/// Tells the worker that was used last, which answers how much of it holds there; the others hear of it with their next turn.
void begin_wish(session_pointer self, const std::string& key, const session_verb& verb) {
  auto& state = self->state;
  auto answer = state.wishes.take(verb, now_of(self));
  keep_wishes(self);
  const auto known = state.prompts.last();
  if (answer.outcome == verb_outcome::rejected) return settle(self, key, to_string(verb.what), answer);
  if (!known.prompt || known.prompt->chain.empty() || state.workers.empty()) {
    answer.outcome = verb_outcome::deferred;
    answer.detail = "it holds from the next turn on";
    return settle(self, key, to_string(verb.what), answer);
  }
  const auto finish = [=](verb_answer told) { settle(self, key, to_string(verb.what), told); };
  auto intent = state.wishes.intent(state.life.owner(), known.prompt->chain, known.block_tokens, now_of(self));
  for (const auto& each : state.workers)
    if (each.handle != state.workers.back().handle) caf::anon_send(each.handle, intent);
  self->request(state.workers.back().handle, std::chrono::milliseconds{limits::release_wait}, std::move(intent))
      .then(
          [=](const intent_applied& applied) mutable {
            if (applied.blocks_clipped > 0) {
              answer.outcome = verb_outcome::clipped;
              answer.detail = std::to_string(applied.blocks_clipped) + " blocks find no room among the pinned ones";
            }
            finish(answer);
          },
          [=](const caf::error&) mutable {
            answer.outcome = verb_outcome::deferred;
            answer.detail = "it holds from the next turn on";
            finish(answer);
          });
}

/// A verb without an id still needs a place to wait in.
std::string waiting_key(session_pointer self, const session_verb& verb) {
  return verb.id.empty() ? std::string(1, '\0') + std::to_string(++self->state.verbs_unnamed) : verb.id;
}

}  // namespace

session_actor_state::~session_actor_state() {
  if (life.state() == session_state::dead) return;
  superseded.push_back({life.owner(), {}});
  if (has_inherited) superseded.push_back({life.heir(), {}});
  for (const auto& [owner, its_head] : superseded) {
    for (const auto& worker : workers) caf::anon_send(worker.handle, owner_release{owner, true});
    for (const auto& tier : setup.services.tiers) caf::anon_send(tier, owner_release{owner, true});
  }
}

std::optional<prefetch_request> make_prefetch(session_pointer self) {
  auto& state = self->state;
  const auto known = state.prompts.last();
  if (!known.prompt || known.prompt->tokens.empty()) return std::nullopt;
  prefetch_request request;
  request.id = {state.life.owner().value + ++state.prefetches};  // both as good as random
  request.owner = state.life.owner();
  request.tenant = state.setup.tenant_number;
  request.tokens = known.prompt->tokens;
  request.tokens.insert(request.tokens.end(), state.pause.answer.begin(), state.pause.answer.end());
  request.chain = known.prompt->chain;
  request.scope_seed = known.scope_seed;
  request.timeout_ms = static_cast<std::uint32_t>(std::chrono::milliseconds{limits::verb_wait}.count());
  return request;
}

caf::result<verb_answer> take_verb(session_pointer self, const session_verb& verb) {
  auto& state = self->state;
  if (const auto* known = state.verbs.find(verb.id)) return *known;
  const auto key = waiting_key(self, verb);
  if (const auto waiting = state.verbs_waiting.find(key); waiting != state.verbs_waiting.end()) {
    waiting->second.push_back(self->make_response_promise<verb_answer>());
    return waiting->second.back();
  }
  auto effect = state.life.apply(verb, unix_ms_of(self));
  state.used_at = now_of(self);
  if (verb.what == verb_kind::tool_pause) repeat_outcome(self, verb);
  if (verb.what == verb_kind::resume) {
    state.pause_announced_ms.reset();
    prefetch_for_return(self);
  }
  if (effect.supersede) supersede(self);
  if (!effect.release && !effect.die && !effect.demote && !effect.prefetch && !effect.wish) {
    settle(self, key, to_string(verb.what), effect.answer);
    tell_home(self);
    arm_tick(self);
    return effect.answer;
  }
  auto promise = self->make_response_promise<verb_answer>();
  state.verbs_waiting[key].push_back(promise);
  if (effect.die)
    begin_death(self, key, verb);
  else if (effect.demote)
    begin_demote(self, key, std::move(effect.answer));
  else if (effect.wish)
    begin_wish(self, key, verb);
  else if (effect.prefetch)
    begin_prefetch(self, key, std::move(effect.answer));
  else
    begin_release(self, key, verb, std::move(effect.answer));
  return promise;
}

void begin_death(session_pointer self, const std::string& key, const session_verb& verb) {
  auto& state = self->state;
  end_pause(self, pause_end::left);
  state.life.die(unix_ms_of(self));
  fail_all_turns(self, {errc::cancelled, "the session died", {}});
  tell_home(self);
  verb_answer answer;
  answer.id = verb.id;
  auto sum = std::make_shared<freed_sum>([self, answer, key](std::uint32_t freed) { finish_death(self, key, answer, freed); });
  kill_children(self, verb.id, sum);
  find_heir(self, [self, sum](owner_id heir) {
    release_blocks(self, core::eviction_cause::death, sum, heir);
    sum->arrive(0);
  });
}

void take_child(session_pointer self, const session_id& id, const session_kin_actor& child) {
  auto& state = self->state;
  if (state.life.state() == session_state::dead) {
    // It was born while its parent died.
    caf::anon_send(child, session_verb{id, {}, verb_kind::die, 0, {}});
    return;
  }
  if (state.children.size() >= limits::children_per_session_max && !state.children.contains(id)) return;
  state.children.insert_or_assign(id, child);
  monitor_once(self, caf::actor_cast<caf::strong_actor_ptr>(child));
  state.life.set_children(state.children.size());
  tell_home(self);
}

void remember_worker(session_pointer self, worker_id id, const worker_actor& worker) {
  auto& workers = self->state.workers;
  std::erase_if(workers, [&](const session_worker& each) { return each.id == id; });
  workers.push_back({id, worker});
  if (workers.size() <= limits::workers_per_session_max) return;
  for (const auto owner : {self->state.life.owner(), self->state.life.heir()})
    caf::anon_send(workers.front().handle, owner_release{owner, true, core::eviction_cause::superseded, {}, {}});
  workers.erase(workers.begin());
}

void release_superseded(session_pointer self) {
  release_resting(self);
  const auto owners = std::exchange(self->state.superseded, {});
  if (owners.empty()) return;
  auto sum = std::make_shared<freed_sum>([self](std::uint32_t freed) {
    verb_answer answer;
    answer.blocks_freed = freed;
    tell_lifecycle(self, to_string(verb_kind::compact), answer);
  });
  // A harness that compacts through another prompt comes back to its own: the begin stays.
  const auto heir = self->state.life.owner();
  for (const auto& each : owners) release_owner(self, {each.owner, false, core::eviction_cause::compaction, heir, each.head}, sum);
  sum->arrive(0);
}

void expire_context(session_pointer self) {
  auto& state = self->state;
  state.cache_ttl = std::chrono::milliseconds{0};
  state.history.forget();
  auto sum = std::make_shared<freed_sum>([](std::uint32_t) {});
  release_blocks(self, core::eviction_cause::ttl, sum);
  sum->arrive(0);
}

void go_dormant(session_pointer self) {
  auto& state = self->state;
  if (!state.life.rest()) return;
  end_pause(self, pause_end::left);
  state.prompts.forget();
  state.history.forget();
  auto sum = std::make_shared<freed_sum>([self](std::uint32_t freed) {
    verb_answer answer;
    answer.blocks_freed = freed;
    tell_lifecycle(self, to_string(session_state::dormant), answer);
  });
  const auto owner = state.life.owner();
  release_blocks(self, core::eviction_cause::ttl, sum);
  if (state.wishes.concerns_holders(now_of(self))) state.resting = owner;
  sum->arrive(0);
  tell_home(self);
}

}  // namespace troupe::actors
