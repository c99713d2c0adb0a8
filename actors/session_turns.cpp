// The conversation of one turn: render -> route -> admit -> progress, each a request whose late answer is recognised by its number.
// Every way out of a turn leads through `tell`, so its sink, the router, the trace and the session's life hear of the end once.
#include <algorithm>
#include <span>
#include <utility>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"
#include "actors/turn_sampling.hpp"
#include "engine/text/prompt_roles.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

bool is_system_error(const caf::error& error, caf::sec code) {
  return error.category() == caf::atom("system") && error.code() == static_cast<std::uint8_t>(code);
}

session_turn* find_turn(session_pointer self, request_id id) {
  const auto found = self->state.turns.find(id);
  return found == self->state.turns.end() ? nullptr : &found->second;
}

/// The turn whose latest question was number `asked`, or null: it has ended or has asked anew since.
session_turn* find_asking(session_pointer self, request_id id, std::uint32_t asked) {
  auto* found = find_turn(self, id);
  return found && found->asked == asked ? found : nullptr;
}

void tell_trace(session_pointer self, const turn& work) {
  auto record = work.record();
  record.session = self->state.life.info().id;
  record.parent = self->state.life.info().parent;
  record.at_ms = unix_ms_of(self);
  self->send(self->state.setup.services.trace, std::move(record));
}

/// The next prompt will have this answer as it was generated: the model has ended it.
bool is_repeatable(const turn& work, const turn_finished& finished) {
  const bool ended = finished.how == turn_end::stop || finished.how == turn_end::tool_calls;
  return ended && finished.stop_string.empty() && work.request().prompt.what == turn_prompt::kind::chat && !work.request().prompt.continue_final_message;
}

void close_turn(session_pointer self, session_turn ended, const turn_finished& finished) {
  auto& state = self->state;
  const auto id = ended.work.request().id;
  const auto worker = ended.worker;
  forget_worker(self, ended);
  if (ended.routed) self->send(state.setup.services.router, route_end{id});
  // Blocks of an owner that has given up its history meanwhile: nobody else will release them.
  const auto owner = ended.work.owner();
  const bool given_up = owner != state.life.owner() && std::ranges::find(state.superseded, owner, &session_legacy::owner) == state.superseded.end();
  if (given_up) {
    const auto cause = state.life.state() == session_state::dead ? core::eviction_cause::death : core::eviction_cause::compaction;
    const owner_release release{owner, false, cause};
    for (const auto& each : state.workers) caf::anon_send(each.handle, release);
    for (const auto& tier : state.setup.services.tiers) caf::anon_send(tier, release);
  }
  tell_trace(self, ended.work);
  const bool was_main = state.life.is_main(id);
  if (was_main && is_repeatable(ended.work, finished))
    state.prompts.remember_answer(ended.work.answer(), ended.work.stop_tokens(), ended.work.answer_options());
  state.life.turn_ends(finished, ended.work.tool_names(), unix_ms_of(self));
  state.used_at = now_of(self);
  const bool told = finished.how == turn_end::failed && finished.error.code == errc::draining;
  if (state.draining) ++(told ? state.drained.turns_told : state.drained.turns_finished);
  // Nobody comes back after a final turn, however it ended; only a node that shuts down has asked for another try.
  const bool final = ended.work.request().hints.final_turn && finished.error.code != errc::draining;
  if (!given_up && !final) begin_pause(self, ended, worker, finished);
  if (!given_up && !final && was_main) speculate(self, ended, worker, finished);
  if (was_main && state.life.state() == session_state::tool_paused) tell_lifecycle(self, "tool_pause", {});
  tell_home(self);
  if (final && state.life.state() != session_state::dead)
    begin_death(self, {}, session_verb{state.life.info().id, {}, verb_kind::die, 0, {}});
  else
    arm_tick(self);
  if (state.turns.empty()) after_last_turn(self);
}

/// Sends what an event of the turn amounts to. `id`'s turn may be gone afterwards.
void tell(session_pointer self, request_id id, turn_output output) {
  auto* found = find_turn(self, id);
  if (!found) return;
  if (output.started) self->send(found->sink, *output.started);
  for (auto& delta : output.deltas) self->send(found->sink, std::move(delta));
  if (!output.finished) return;
  if (output.cancel_sequence && found->worker) self->send(found->worker, sequence_cancel{id});
  self->send(found->sink, *output.finished);
  auto ended = std::move(*found);
  self->state.turns.erase(id);
  close_turn(self, std::move(ended), *output.finished);
}

/// Cache breakpoints are wishes about the prompt up to them.
void take_breakpoints(session_pointer self, const session_turn& of) {
  const auto& request = of.work.request();
  const auto& messages = request.prompt.messages;
  auto ranges = request.hints.retain;
  for (std::size_t message = 0; message < messages.size(); ++message) {
    const auto& blocks = messages[message].blocks;
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      if (blocks[block].cache_ttl_ms == 0) continue;
      const auto end = self->state.prompts.token_end(message, block);
      if (end > 0) ranges.push_back({0, end, request.hints.breakpoint_priority, blocks[block].cache_ttl_ms});
    }
  }
  self->state.wishes.take(ranges, now_of(self));
}

/// Who speaks in the main prompt, for who asks, and what of it others begin with too.
void note_prompt(session_pointer self, const turn& work) {
  auto& state = self->state;
  const auto& roles = work.roles();
  std::vector<std::uint32_t> by_role(roles.empty() ? 0 : core::block_roles);
  std::uint32_t begin = 0;
  for (const auto& each : roles) by_role[static_cast<std::size_t>(each.role)] += each.token_end - std::exchange(begin, each.token_end);
  state.life.set_role_tokens(std::move(by_role));
  const std::size_t head = text::head_tokens(roles) / work.model().block_tokens;
  const auto blocks = std::span(work.chain()).first(std::min({head, work.chain().size(), limits::bequest_blocks_max}));
  state.head.assign(blocks.begin(), blocks.end());
}

/// Ahead of the turn: what the new prompt does not share with the last one makes room for what it needs.
void leave_behind(session_pointer self, const session_turn& of) {
  auto& state = self->state;
  const auto left = state.history.left_behind(of.work.owner(), of.work.request().prompt.messages, of.work.chain());
  if (left.blocks.empty()) return;
  for (const auto& each : state.workers) caf::anon_send(each.handle, left);
}

void take_rendered(session_pointer self, request_id id, std::uint32_t asked, render_result& rendered) {
  auto* found = find_asking(self, id, asked);
  if (!found) return;
  const bool reasons = ends_in_reasoning(rendered.text);
  auto prompt = self->state.prompts.encode_chat(found->prompt_scope, found->work.request().prompt, std::move(rendered.text));
  if (auto error = found->work.take_prompt(std::move(prompt), reasons)) {
    if (found->prompt_scope.keep) self->state.prompts.forget();  // what is too long is not worth its memory
    return fail_turn(self, id, std::move(*error));
  }
  if (found->prompt_scope.keep) {
    take_breakpoints(self, *found);
    note_prompt(self, found->work);
    compare_prompt(self, *found);
    leave_behind(self, *found);
  }
  resume_turn(self, id);
}

void take_error(session_pointer self, request_id id, std::uint32_t asked, const caf::error& error) {
  if (!find_asking(self, id, asked)) return;
  auto why = to_failure(error);
  // CAF says that a peer has ended for what lay in its mailbox, its promise table for what it had taken up: both are not_ready.
  if (why.code == errc::not_ready) return lose_peer(self, id);
  why.param.clear();  // It names a field of what was asked of the peer, which the client knows nothing of.
  fail_turn(self, id, std::move(why));
}

/// The input goes with the question: of a long conversation it is long. Whoever asks again makes it anew.
void ask_renderer(session_pointer self, request_id id, session_turn& of) {
  const auto asked = ++of.asked;
  auto input = std::exchange(of.render_input, {});
  if (input.empty()) {
    auto again = template_input(of.work.request(), of.work.model());
    if (!again) return fail_turn(self, id, again.error());
    input = *std::move(again);
  }
  const auto wait = std::min<milliseconds>(limits::render_request_wait, milliseconds{of.work.remaining_ms(now_of(self))});
  self->request(self->state.setup.services.renderer, wait, render_request{id, of.work.model().id, std::move(input)})
      .then([=](render_result& rendered) { take_rendered(self, id, asked, rendered); },
            [=](const caf::error& error) { take_error(self, id, asked, error); });
}

/// Ahead of the turn, so that its blocks are kept from the moment they are there. A side call changes nothing of what is wished.
void tell_wishes(session_pointer self, const session_turn& of, const admit_request& request) {
  auto& state = self->state;
  if (!of.prompt_scope.keep || !state.wishes.concerns_holders(now_of(self))) return;
  auto intent = state.wishes.intent(request.owner, request.chain, of.work.model().block_tokens, now_of(self));
  keep_wishes(self);
  caf::anon_send(of.worker, std::move(intent));
}

void admit(session_pointer self, request_id id, session_turn& to_admit) {
  const auto asked = ++to_admit.asked;
  const auto wait = std::min<milliseconds>(limits::admit_wait, milliseconds{to_admit.work.remaining_ms(now_of(self))});
  auto request = to_admit.work.admit(now_of(self));
  request.paused = to_admit.paused;
  request.session = self->state.life.number();
  request.is_subagent = !self->state.life.info().parent.value.empty();
  request.tenant = self->state.setup.tenant_number;
  if (to_admit.prompt_scope.keep) self->state.max_tier = request.max_tier;
  request.max_tier = std::min(request.max_tier, self->state.max_tier);
  tell_wishes(self, to_admit, request);
  self->request(to_admit.worker, wait, std::move(request), caf::actor_cast<sequence_sink_actor>(self))
      .then([](request_id) { /* its events follow */ },
            [=](const caf::error& error) {
              auto* found = find_asking(self, id, asked);
              if (!found) return;
              // A worker that does not answer may still hold the sequence: it must not compute on.
              const bool silent = is_system_error(error, caf::sec::request_timeout);
              if (silent) self->send(found->worker, sequence_cancel{id});
              return silent ? lose_peer(self, id) : take_error(self, id, asked, error);
            });
}

void take_grant(session_pointer self, request_id id, std::uint32_t asked, const route_grant& grant, const worker_actor& worker) {
  auto* found = find_asking(self, id, asked);
  if (!found) return;
  found->worker = worker;
  found->work.take_worker(grant.worker);
  remember_worker(self, grant.worker, worker);
  monitor_once(self, caf::actor_cast<caf::strong_actor_ptr>(worker));
  admit(self, id, *found);
}

void ask_router(session_pointer self, request_id id, session_turn& of) {
  const auto& workers = self->state.workers;
  route_affinity affinity;
  if (!workers.empty()) affinity.last = workers.back().id;
  affinity.parent = self->state.setup.parent_worker;
  auto request = of.work.route(now_of(self), affinity);
  const auto asked = ++of.asked;
  const milliseconds wait{request.timeout_ms};
  of.routed = true;
  self->request(self->state.setup.services.router, wait, std::move(request))
      .then([=](const route_grant& grant, const worker_actor& worker) { take_grant(self, id, asked, grant, worker); },
            [=](const caf::error& error) { take_error(self, id, asked, error); });
}

core::instant deadline_of(session_pointer self, const turn_request& request) {
  milliseconds wait{request.timeout_ms};
  if (wait.count() == 0) wait = limits::request_timeout;
  return now_of(self) + std::min<milliseconds>(wait, limits::request_timeout_max);
}

/// Whether the session takes the turn at all.
std::optional<failure> refusal(session_pointer self) {
  const auto& state = self->state;
  if (state.life.state() == session_state::dead) return failure{errc::session_dead, "the session has died", {}};
  if (state.draining) return failure{errc::draining, "the node is shutting down", {}};
  if (state.turns.size() >= state.setup.turns_max) return failure{errc::queue_full, "the session has too many turns running", {}};
  return std::nullopt;
}

/// Beside the main turn; or a title, a classifier: without tools, in an agent's name that works with them, and no longer than its conversation.
/// It disturbs nothing.
bool is_side_call(const session_actor_state& state, const turn_prompt& prompt) {
  if (state.life.state() == session_state::generating) return true;
  return prompt.what == turn_prompt::kind::chat && prompt.tools.empty() && prompt.messages.size() <= state.tooled_messages;
}

/// A harness may ask for a title at the same time as an agent's first turn, in its name, and be heard first. The turn that offers tools is
/// the agent's own: the title goes on beside it. The turn that so makes way, or null.
session_turn* find_displaced(session_pointer self, const turn_request& request) {
  const auto& life = self->state.life;
  const auto main = life.main_turn();
  if (!main || request.hints.is_side || request.prompt.tools.empty() || life.info().turns > 0) return nullptr;
  auto* running = find_turn(self, *main);
  if (!running) return nullptr;
  const auto& first = running->work.request().prompt;
  return first.what == turn_prompt::kind::chat && first.tools.empty() ? running : nullptr;
}

void let_agent_pass(session_pointer self, session_turn& displaced) {
  displaced.prompt_scope.keep = false;
  self->state.life.yield_main();
}

enum class turn_place : std::uint8_t { main, side };

expected<session_turn> make_turn(session_pointer self, turn_request& request, const turn_sink_actor& sink, turn_place place) {
  auto& state = self->state;
  const auto& name = request.model.value.empty() ? state.life.info().model.value : request.model.value;
  auto model = state.setup.models->resolve(name);
  if (!model) return failure{errc::model_not_found, "the model " + name + " is not served here", "model"};
  auto sampling = resolve_sampling(request.sampling, model->defaults, request.id);
  if (!sampling) return sampling.error();
  session_prompts::scope scope{model, state.setup.tenant, request.cache_salt, place == turn_place::main};
  const auto deadline = deadline_of(self, request);
  auto hasher = hasher_of(*model, state.setup.tenant, request.cache_salt);
  turn_setup setup{std::move(request), model, state.life.owner(), hasher, *sampling, now_of(self), deadline, state.life.output_tokens_mean()};
  session_turn made{turn{std::move(setup)}, sink, std::move(scope)};
  const auto& prompt = made.work.request().prompt;
  if (prompt.what == turn_prompt::kind::chat) {
    auto input = template_input(made.work.request(), *model);
    if (!input) return input.error();
    made.render_input = std::move(*input);
    return made;
  }
  auto encoded = state.prompts.encode_plain(made.prompt_scope, prompt);
  if (!encoded) return encoded.error();
  if (auto error = made.work.take_prompt(std::move(*encoded), false)) return *error;
  return made;
}

/// Text and tokens do not say who speaks: after a tool pause it is the tools.
core::turn_input input_of(const turn_request& request, bool ends_tool_pause) {
  const auto& prompt = request.prompt;
  if (prompt.what == turn_prompt::kind::chat && !prompt.messages.empty())
    return prompt.messages.back().role == chat_role::tool ? core::turn_input::tool_result : core::turn_input::person;
  return ends_tool_pause ? core::turn_input::tool_result : core::turn_input::unknown;
}

}  // namespace

caf::result<request_id> begin_turn(session_pointer self, turn_request& request, const turn_sink_actor& sink) {
  auto& state = self->state;
  const auto id = request.id;
  if (find_turn(self, id)) return id;  // said twice
  if (auto error = refusal(self)) return make_error(*error);
  const bool final = request.hints.final_turn;
  auto* displaced = find_displaced(self, request);
  const bool is_side = request.hints.is_side || (!displaced && is_side_call(state, request.prompt));
  auto made = make_turn(self, request, sink, is_side ? turn_place::side : turn_place::main);
  if (!made) {
    // The session was spawned for this turn alone.
    const bool unused = state.turns.empty() && state.children.empty() && state.life.info().turns == 0;
    if (final && unused) begin_death(self, {}, session_verb{state.life.info().id, {}, verb_kind::die, 0, {}});
    return make_error(made.error());
  }
  if (displaced) let_agent_pass(self, *displaced);
  const bool is_main = made->prompt_scope.keep;
  const bool resumes = is_main && state.life.state() == session_state::tool_paused;
  if (is_main) {
    const auto& prompt = made->work.request().prompt;
    state.tooled_messages = prompt.tools.empty() ? 0 : prompt.messages.size();
    state.wishes.take(made->work.request().hints.retain, now_of(self));
    state.cache_ttl = milliseconds{made->work.request().hints.cache_ttl_ms};
    state.pause_announced_ms.reset();
    if (made->work.has_prompt()) {
      note_prompt(self, made->work);
      compare_prompt(self, *made);
    }
  }
  if (is_main) made->paused = end_pause(self, pause_end::turn);
  made->work.set_input(input_of(made->work.request(), made->paused.took_ms >= 0));
  state.turns.emplace(id, std::move(*made));
  is_main ? state.life.turn_begins(id, unix_ms_of(self)) : state.life.side_call_begins(unix_ms_of(self));
  if (resumes) tell_lifecycle(self, "resume", {});
  monitor_once(self, caf::actor_cast<caf::strong_actor_ptr>(sink));
  tell_home(self);
  resume_turn(self, id);
  arm_tick(self);
  return id;
}

void resume_turn(session_pointer self, request_id id) {
  auto* found = find_turn(self, id);
  if (!found) return;
  found->retry_at.reset();
  forget_worker(self, *found);
  if (!found->work.has_prompt()) return ask_renderer(self, id, *found);
  ask_router(self, id, *found);
}

void take_progress(session_pointer self, const sequence_progress& progress) {
  auto* found = find_turn(self, progress.id);
  if (!found || !found->worker) return;
  // A worker that this turn has left may still speak.
  const auto& sender = self->current_sender();
  if (sender && !(found->worker.address() == caf::actor_cast<caf::actor_addr>(sender))) return;
  if (progress.started && found->prompt_scope.keep)
    end_speculation(self, progress.cached_tokens, found->work.model().block_tokens);
  const bool keeps = progress.started && found->work.owner() == self->state.life.owner();
  tell(self, progress.id, found->work.advance(progress, now_of(self)));
  if (keeps && self->state.life.state() != session_state::dead) release_superseded(self);
}

void fail_turn(session_pointer self, request_id id, failure error) {
  auto* found = find_turn(self, id);
  if (found) tell(self, id, found->work.fail(std::move(error), now_of(self)));
}

void fail_all_turns(session_pointer self, const failure& error) {
  for (const auto id : turn_ids(self, [](const session_turn&) { return true; })) fail_turn(self, id, error);
}

void lose_peer(session_pointer self, request_id id) {
  auto* found = find_turn(self, id);
  if (!found) return;
  ++found->asked;
  if (found->routed) self->send(self->state.setup.services.router, route_end{id});
  found->routed = false;
  forget_worker(self, *found);
  auto loss = found->work.lose_peer(now_of(self));
  if (!loss.retry_at) return tell(self, id, std::move(loss.output));
  if (*loss.retry_at <= now_of(self)) return resume_turn(self, id);
  found->retry_at = loss.retry_at;
  arm_tick(self);
}

std::vector<request_id> turn_ids(session_pointer self, const std::function<bool(const session_turn&)>& filter) {
  std::vector<request_id> ids;
  for (const auto& [id, each] : self->state.turns)
    if (filter(each)) ids.push_back(id);
  return ids;
}

}  // namespace troupe::actors
