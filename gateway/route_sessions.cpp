// /v1/sessions: the control surface through which a harness tells what happens in its agents' lives.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <chrono>
#include <limits>

#include "engine/core/block_role.hpp"
#include "gateway/error_shape.hpp"
#include "gateway/hint_clipping.hpp"
#include "gateway/hint_sources.hpp"
#include "gateway/json_text.hpp"
#include "gateway/routes.hpp"
#include "messages/base/limits.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

json::value text_or_null(std::string_view text) { return text.empty() ? json::value(nullptr) : json::value(text); }

/// Tokens by role, those of which there are any.
json::object describe_roles(const session_info& info) {
  json::object roles;
  for (std::size_t at = 0; at < std::min(info.role_tokens.size(), core::block_roles); ++at)
    if (info.role_tokens[at] > 0) roles[core::to_string(static_cast<core::block_role>(at))] = info.role_tokens[at];
  return roles;
}

json::value describe_miss(const cache_miss& miss) {
  if (miss.reason == cache_miss_reason::none) return nullptr;
  return json::object{{"reason", std::string(to_string(miss.reason))}, {"missed_tokens", miss.tokens}};
}

json::object describe_session(const session_info& info) {
  json::array paused_on(info.paused_on.begin(), info.paused_on.end());
  return {
      {"id", client_id_of(info.id)},
      {"object", "session"},
      {"tenant", tenant_of(info.id)},
      {"parent", text_or_null(client_id_of(info.parent))},
      {"model", info.model.value},
      {"state", std::string(to_string(info.state))},
      {"incarnation", info.incarnation},
      {"turns", info.turns},
      {"children", info.children},
      {"usage",
       json::object{{"prompt_tokens", info.prompt_tokens}, {"cached_tokens", info.cached_tokens}, {"output_tokens", info.output_tokens}}},
      {"context_tokens", info.context_tokens},
      {"prompt_roles", describe_roles(info)},
      {"cache_miss", describe_miss(info.miss)},
      {"created_ms", info.created_ms},
      {"used_ms", info.used_ms},
      {"paused_on", std::move(paused_on)}};
}

http_response session_response(const control_answer& answer) {
  http_response response;
  response.body = json::serialize(describe_session(std::get<session_info>(answer)));
  return response;
}

http_response listing_response(const control_answer& answer) {
  json::array data;
  for (const auto& info : std::get<session_listing>(answer).sessions) data.push_back(describe_session(info));
  http_response response;
  response.body = json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
  return response;
}

/// A verb that came too late is told so twice: as an outcome for harnesses, as an error for clients that only know those.
http_response verb_response(const control_answer& answer) {
  const auto& verb = std::get<verb_answer>(answer);
  json::object body{{"id", verb.id}, {"outcome", std::string(to_string(verb.outcome))}, {"blocks_freed", verb.blocks_freed}};
  if (!verb.detail.empty()) body["detail"] = verb.detail;
  http_response response;
  if (verb.outcome == verb_outcome::missing) {
    const failure dead{errc::session_dead, verb.detail.empty() ? "the session has died" : verb.detail, "id"};
    response.status = describe(dead.code).http_status;
    body["error"] = json::parse(error_json(dead)).at("error");
  }
  response.body = json::serialize(body);
  return response;
}

std::optional<failure> check_path_id(const std::string& id) {
  const auto why = check_session_id(id);
  if (why.empty()) return std::nullopt;
  return failure{errc::invalid_request, "the session id " + why, "id"};
}

void read_session_id(const json_reader& body, std::string_view key, session_id& id) {
  if (!body.read(key, id.value)) return;
  if (const auto why = check_session_id(id.value); !why.empty()) body.refuse(key, why);
}

void read_verb(const json_reader& body, session_verb& verb) {
  std::string name;
  if (!body.read("id", verb.id) || verb.id.empty() || verb.id.size() > limits::verb_id_bytes_max)
    body.refuse("id", "must be a string of 1 to " + std::to_string(limits::verb_id_bytes_max) + " bytes");
  if (!body.read("verb", name)) return body.refuse("verb", "is missing");
  if (!from_string(name, verb.what)) return body.refuse("verb", "is not a verb of ours");
  body.read("expect_ms", verb.expect_ms, {});
  verb.ttl_ms = static_cast<std::uint32_t>(std::chrono::milliseconds{limits::wish_ttl}.count());
  body.read("ttl_ms", verb.ttl_ms, {});
  body.read("priority", verb.priority, {0, std::numeric_limits<std::int32_t>::max()});
  body.read("token_begin", verb.token_begin, {});
  body.read("token_end", verb.token_end, {});
  const auto* tools = body.array("tools");
  if (tools == nullptr) return;
  if (tools->size() > limits::tools_max) return body.refuse("tools", "must have at most " + std::to_string(limits::tools_max) + " entries");
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const auto* tool = (*tools)[i].if_string();
    if (tool == nullptr) return refuse_type(body.failed(), index_path("tools", i), "a string");
    verb.tools.emplace_back(tool->data(), tool->size());
  }
}

}  // namespace

route_result list_sessions(const http_request& request, const path_arguments&, const route_context&) {
  session_list query;
  if (const auto limit = request.parameter("limit")) {
    const auto [end, error] = std::from_chars(limit->data(), limit->data() + limit->size(), query.limit);
    if (error != std::errc{} || end != limit->data() + limit->size() || query.limit == 0)
      return failure{errc::invalid_request, "'limit' must be a positive whole number", "limit"};
  }
  query.with_dead = request.parameter("dead").value_or("") == "true";
  return control_job{query, listing_response};
}

route_result spawn_session(const http_request& request, const path_arguments&, const route_context& context) {
  const auto object = parse_object(request.body.empty() ? "{}" : request.body);
  if (!object) return object.error();
  first_failure failed;
  const json_reader body(*object, "", failed);
  session_spawn spawn;
  std::string name;
  read_session_id(body, "id", spawn.id);
  read_session_id(body, "parent", spawn.parent);
  body.read("model", name);
  auto told = read_body_hints(*object, failed);
  clip_hints(told, context.who.hints);
  if (failed.any()) return failed.get();
  const auto model = model_of(context, name);
  if (!model) return model.error();
  if (spawn.id.value.empty()) spawn.id.value = "session-" + draw_name(context.draw);
  if (spawn.id == spawn.parent) return failure{errc::invalid_request, "a session cannot be its own parent", "parent"};
  spawn.model = (*model)->name;
  spawn.priority = told.hints.priority;
  return control_job{std::move(spawn), session_response};
}

route_result get_session(const http_request&, const path_arguments& arguments, const route_context&) {
  if (auto refused = check_path_id(arguments[0])) return std::move(*refused);
  return control_job{session_find{{arguments[0]}}, session_response};
}

route_result end_session(const http_request&, const path_arguments& arguments, const route_context& context) {
  if (auto refused = check_path_id(arguments[0])) return std::move(*refused);
  return control_job{session_verb{{arguments[0]}, "delete-" + hex_of(context.draw()), verb_kind::die, 0, {}}, verb_response};
}

route_result session_event(const http_request& request, const path_arguments& arguments, const route_context& context) {
  if (auto refused = check_path_id(arguments[0])) return std::move(*refused);
  const auto object = parse_object(request.body);
  if (!object) return object.error();
  first_failure failed;
  session_verb verb;
  verb.session.value = arguments[0];
  read_verb(json_reader(*object, "", failed), verb);
  if (failed.any()) return failed.get();
  const auto clipped = clip_verb(verb, context.who.hints);
  if (clipped.empty()) return control_job{std::move(verb), verb_response};
  return control_job{std::move(verb), [clipped](const control_answer& answer) {
                       auto told = std::get<verb_answer>(answer);
                       note_clipped(told, clipped);
                       return verb_response(told);
                     }};
}

}  // namespace troupe::gateway
