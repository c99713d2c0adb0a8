#include "gateway/turn_route.hpp"

#include <algorithm>
#include <charconv>

#include "gateway/client_identity.hpp"
#include "gateway/conversation_writer.hpp"
#include "gateway/hint_clipping.hpp"
#include "gateway/hint_echo.hpp"
#include "gateway/json_reader.hpp"
#include "gateway/json_text.hpp"
#include "gateway/openai_request.hpp"
#include "gateway/tenancy.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::gateway {
namespace {

constexpr std::string_view conversation_prefix = "auto-";

/// The session that an unnamed conversation goes on.
std::optional<conversation_index::match> find_conversation(const route_context& context, const turn_identity& identity,
                                                           const turn_request& turn, std::string_view weak_key,
                                                           const gateway_model& model) {
  if (identity.is_named || !context.conversations || turn.prompt.what != turn_prompt::kind::chat) return std::nullopt;
  const auto& tenant = context.who.tenant;
  std::string scope = tenant;
  scope.append(1, '\n').append(model.name.value).append(1, '\n').append(turn.cache_salt).append(1, '\n').append(weak_key);
  auto offered = identity.session.value.starts_with(conversation_prefix) ? identity.session.value
                                                                         : std::string(conversation_prefix) + draw_name(context.draw);
  auto found = context.conversations->find(scope, turn.prompt.messages, scoped_id(tenant, {std::move(offered)}).value);
  if (tenant_of(found.session) == tenant) return found;
  // The index hashes scopes: whoever has found two that collide gets nothing of it.
  context.conversations->leave(found.session);
  return std::nullopt;
}

/// The name of an unnamed conversation is only offered to the index, which knows it again by what was said, but not over a restart.
void continue_session(const session_id& continues, turn_identity& identity) {
  if (identity.is_named || continues.value.empty()) return;
  identity.session = continues;
  if (continues.value.starts_with(conversation_prefix)) return;
  identity.is_named = true;
  identity.hints.final_turn = identity.is_final;
}

/// What hints say of the prompt itself.
void apply_told(turn_identity& identity, const route_context& context, turn_request& turn) {
  auto& told = identity.told;
  place_breakpoints(turn.prompt, told, context.who.hints);
  if (!told.scope.empty()) turn.cache_salt = told.scope;
  if (identity.is_named) told.report.revoke(name_of(hint_field::group), "finds conversations that nobody names; this one is named");
}

/// Of the breakpoints in a prompt; 0: there is none.
std::uint32_t shortest_ttl_ms(const turn_prompt& prompt) {
  std::uint32_t shortest = 0;
  for (const auto& message : prompt.messages)
    for (const auto& block : message.blocks)
      if (block.cache_ttl_ms != 0) shortest = shortest == 0 ? block.cache_ttl_ms : std::min(shortest, block.cache_ttl_ms);
  return shortest;
}

/// What the client wants to hear of its hints.
void echo_hints(const hint_reading& told, answer_shape& shape, std::vector<http_field>& fields) {
  shape.diagnose_cache = told.wants_echo || told.wants_diagnosis;
  if (!told.wants_echo) return;
  shape.hints = hint_members(told.report);
  fields.push_back({"x-agent-hints", hint_header(told.report)});
}

}  // namespace

expected<std::chrono::milliseconds> timeout_of(const http_request& request, const gateway_options& options) {
  const auto text = request.field("x-request-timeout-ms");
  if (text.empty()) return std::min(options.request_timeout, options.request_timeout_max);
  std::int64_t wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  if (error != std::errc{} || end != text.data() + text.size() || wanted <= 0)
    return failure{errc::invalid_request, "'x-request-timeout-ms' must be a positive whole number", "x-request-timeout-ms"};
  return std::min(std::chrono::milliseconds(wanted), options.request_timeout_max);
}

route_result make_turn_job(const http_request& request, const route_context& context, const turn_reader& read, std::string_view id_prefix,
                           const writer_factory& make_writer) {
  const auto timeout = timeout_of(request, context.options);
  if (!timeout) return timeout.error();
  auto body = parse_object(request.body);
  if (!body) return body.error();
  auto translated = read(*body);
  if (!translated) return translated.error();
  auto identity = read_identity(request, *body, context.draw, context.who.hints);
  if (!identity) return identity.error();
  apply_told(*identity, context, translated->turn);
  const auto model = model_of(context, translated->wish.model);
  if (!model) return model.error();
  if (const auto checked = check_token_ids(translated->turn, (*model)->vocabulary_size); !checked) return checked.error();

  // A conversation that is new displaces another: not for a turn that will not be.
  if (auto refused = quota_refusal_now(request, context)) return *std::move(refused);
  continue_session(translated->wish.continues, *identity);
  auto conversation = find_conversation(context, *identity, translated->turn,
                                        identity->told.group.empty() ? read_weak_key(*body) : identity->told.group, **model);
  if (conversation) {
    identity->session.value = client_id_of(conversation->session);
    identity->hints.final_turn = identity->is_final;
  }

  turn_job job;
  job.turn = std::move(translated->turn);
  job.turn.id.value = context.draw();
  job.turn.model = (*model)->name;
  job.turn.hints = identity->hints;
  job.turn.timeout_ms = static_cast<std::uint32_t>(timeout->count());
  job.spawn = {std::move(identity->session), std::move(identity->parent), (*model)->name, identity->hints.priority, !identity->is_named && !conversation};
  job.stream = translated->wish.stream;
  answer_shape shape;
  shape.id = std::string(id_prefix) + hex_of(job.turn.id.value);
  shape.model = translated->wish.model.empty() ? (*model)->name.value : translated->wish.model;
  shape.fingerprint = (*model)->fingerprint;
  shape.created_s = context.unix_s;
  shape.turn = job.turn.id;
  shape.session = job.spawn.id;
  shape.tokens_max = job.turn.tokens_max;
  shape.block_tokens = (*model)->block_tokens;
  shape.cache_ttl_ms = shortest_ttl_ms(job.turn.prompt);
  shape.stream = job.stream;
  shape.include_usage = translated->wish.include_usage;
  shape.logprobs = translated->wish.logprobs;
  echo_hints(identity->told, shape, job.fields);
  job.writer = make_writer(std::move(shape));
  if (conversation) {
    job.ended = std::move(conversation->ended);
    job.writer = make_conversation_writer(std::move(job.writer), context.conversations, conversation->session, conversation->asked);
  }
  return job;
}

}  // namespace troupe::gateway
