// After an answer with reasoning that closes its loop: the template will leave that reasoning out of the next prompt. What only the old
// rendering has is given up at once, and what the next prompt will begin with is computed meanwhile, behind everybody's turns.
#include <algorithm>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/session_actor_state.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

/// Stands for what the user will say. No template splits or trims it.
constexpr std::string_view next_words = "\u2063next-user-words\u2063";

chat_message message_of(chat_role role, chat_block::kind what, std::string text) {
  chat_message made{role, {}};
  made.blocks.push_back({what, std::move(text), {}, {}});
  return made;
}

/// The request as it will be repeated, up to the words that are not known yet.
turn_request next_request(const turn& ended) {
  turn_request next = ended.request();
  auto answer = message_of(chat_role::assistant, chat_block::kind::reasoning, ended.reasoning());
  answer.blocks.push_back({chat_block::kind::text, ended.text(), {}, {}});
  next.prompt.messages.push_back(std::move(answer));
  next.prompt.messages.push_back(message_of(chat_role::user, chat_block::kind::text, std::string{next_words}));
  return next;
}

void compute_ahead(session_pointer self, const session_speculation& of, text::encoded_prompt prefix) {
  admit_request request;
  request.id = {self->state.life.owner().value + ++self->state.prefetches};
  request.owner = self->state.life.owner();
  request.tenant = self->state.setup.tenant_number;
  request.scope_seed = of.scope_seed;
  request.tokens = std::move(prefix.tokens);
  request.chain = std::move(prefix.chain);
  request.priority = ahead_priority;
  request.is_ahead = true;
  request.max_tier = self->state.max_tier;
  request.timeout_ms = static_cast<std::uint32_t>(milliseconds{limits::verb_wait}.count());
  self->state.speculation = of;
  self->state.speculation.id = request.id;
  self->state.speculation.tokens = static_cast<std::uint32_t>(request.tokens.size());
  const auto id = request.id;
  self->request(of.worker, milliseconds{limits::admit_wait}, std::move(request), caf::actor_cast<sequence_sink_actor>(self))
      .then([](request_id) { /* its token is nobody's */ },
            [=](const caf::error&) {
              caf::anon_send(of.worker, sequence_cancel{id});  // it may have been slow only
              if (self->state.speculation.id == id) self->state.speculation = {};
            });
}

/// Nobody can say what the template will keep of the loop's reasoning. Those in use keep none: should one do, it is computed again.
void give_up_reasoning(session_pointer self, const session_speculation& of) {
  auto& state = self->state;
  if (of.number != state.pause.number || !of.reasoning_begin) return;
  const auto left = state.history.behind(state.life.owner(), *of.reasoning_begin / of.scope.model->block_tokens);
  if (left.blocks.empty()) return;
  for (const auto& each : state.workers) caf::anon_send(each.handle, left);
}

void take_next(session_pointer self, const session_speculation& of, const std::string& rendered) {
  auto& state = self->state;
  const auto words = rendered.find(next_words);
  const bool is_current = of.number == state.pause.number && state.life.state() == session_state::idle;
  if (!is_current) return;
  if (words == std::string::npos) return give_up_reasoning(self, of);
  auto prefix = state.prompts.encode_ahead(of.scope, rendered.substr(0, words));
  const auto left = state.history.diverging(state.life.owner(), prefix.chain);
  if (left.blocks.empty()) return;  // the template keeps what was generated
  for (const auto& each : state.workers) caf::anon_send(each.handle, left);
  compute_ahead(self, of, std::move(prefix));
}

}  // namespace

void speculate(session_pointer self, const session_turn& ended, const worker_actor& worker, const turn_finished& finished) {
  auto& state = self->state;
  // The loop may have reasoned before this answer; and what nobody has parsed, the template still knows by its tag.
  const auto reasoning_begin = text::open_reasoning(ended.work.roles());
  const bool has_reasoned = reasoning_begin || ended.work.text().find("</think>") != std::string::npos;
  const bool closes = finished.how == turn_end::stop && has_reasoned && ended.prompt_scope.keep;
  const bool is_chat = ended.work.request().prompt.what == turn_prompt::kind::chat && !ended.work.request().hints.final_turn;
  if (!worker || !closes || !is_chat || !ended.work.request().hints.speculate || state.draining || state.life.state() != session_state::idle) return;
  const auto input = template_input(next_request(ended.work), ended.work.model());
  if (!input) return;
  session_speculation of;
  of.worker = worker;
  of.scope = ended.prompt_scope;
  of.scope_seed = ended.work.scope_seed();
  of.number = state.pause.number;
  of.reasoning_begin = reasoning_begin;
  self->request(state.setup.services.renderer, milliseconds{limits::render_request_wait}, render_request{finished.id, ended.work.model().id, *input})
      .then([=](const render_result& rendered) { take_next(self, of, rendered.text); }, [=](const caf::error&) { give_up_reasoning(self, of); });
}

void end_speculation(session_pointer self, std::uint32_t cached_tokens, std::uint32_t block_tokens) {
  auto& state = self->state;
  const auto of = std::exchange(state.speculation, {});
  if (of.tokens == 0) return;
  caf::anon_send(of.worker, sequence_cancel{of.id});  // what is not computed yet, the turn computes itself
  const bool is_useful = cached_tokens + block_tokens >= of.tokens;
  lifecycle_record record{state.life.info().id, "speculate", is_useful ? "useful" : "wasted", 0, unix_ms_of(self)};
  self->send(state.setup.services.trace, std::move(record));
}

}  // namespace troupe::actors
