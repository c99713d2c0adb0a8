#include "gateway/client_identity.hpp"

#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

namespace troupe::gateway {
namespace json = boost::json;
namespace {

const json::object* object_in(const json::object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view text_in(const json::object* body, std::string_view key) {
  const auto* value = body == nullptr ? nullptr : body->if_contains(key);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view{} : std::string_view(*text);
}

bool flag_in(const json::object* body, std::string_view key) {
  const auto* value = body == nullptr ? nullptr : body->if_contains(key);
  const auto* flag = value == nullptr ? nullptr : value->if_bool();
  return flag != nullptr && *flag;
}

std::string agent_of(std::string_view session, std::string_view agent) {
  std::string name(session);
  if (!agent.empty()) name.append(".").append(agent);
  return name;
}

/// One session for all agents; a subagent names itself, and its parent only when that is a subagent too.
client_name claude_code(const http_request& request) {
  const auto session = request.field("x-claude-code-session-id"), agent = request.field("x-claude-code-agent-id");
  if (session.empty()) return {};
  client_name name{"claude-code", agent_of(session, agent), {}, false};
  if (!agent.empty()) name.parent = agent_of(session, request.field("x-claude-code-parent-agent-id"));
  return name;
}

/// A thread is an agent. `session-id` is the root's thread, for all of them.
client_name codex(const http_request& request) {
  const auto thread = request.field("thread-id"), root = request.field("session-id");
  if (thread.empty()) return {};
  client_name name{"codex", std::string(thread), std::string(request.field("x-codex-parent-thread-id")), false};
  if (name.parent.empty() && !request.field("x-openai-subagent").empty() && root != thread) name.parent = root;
  return name;
}

/// Headers, else `nvext.agent_context` with its trajectories, else `nvext.session_control`.
client_name dynamo(const http_request& request, const json::object& body) {
  if (const auto session = request.field("x-dynamo-session-id"); !session.empty())
    return {"dynamo", std::string(session), std::string(request.field("x-dynamo-parent-session-id")),
            equals_ignoring_case(request.field("x-dynamo-session-final"), "true")};
  const auto* extension = object_in(body, "nvext");
  if (extension == nullptr) return {};
  const auto* context = object_in(*extension, "agent_context");
  if (const auto trajectory = text_in(context, "trajectory_id"); !trajectory.empty())
    return {"dynamo", std::string(trajectory), std::string(text_in(context, "parent_trajectory_id")),
            flag_in(context, "trajectory_final")};
  if (const auto session = text_in(context, "session_id"); !session.empty())
    return {"dynamo", std::string(session), {}, flag_in(context, "trajectory_final")};
  const auto* control = object_in(*extension, "session_control");
  if (const auto session = text_in(control, "session_id"); !session.empty())
    return {"dynamo", std::string(session), {}, text_in(control, "action") == "close"};
  return {};
}

/// vLLM's `agent_hint`, else SGLang's `session_params`.
client_name engines(const json::object& body) {
  const auto* hint = object_in(body, "agent_hint");
  if (const auto session = text_in(hint, "session_id"); !session.empty())
    return {"vllm", std::string(session), std::string(text_in(hint, "parent_session_id")), false};
  if (const auto session = text_in(object_in(body, "session_params"), "id"); !session.empty())
    return {"sglang", std::string(session), {}, false};
  return {};
}

}  // namespace

client_name read_client_name(const http_request& request, const json::object& body) {
  auto name = claude_code(request);
  if (name.source.empty()) name = codex(request);
  if (name.source.empty()) name = dynamo(request, body);
  if (name.source.empty()) name = engines(body);
  if (name.parent == name.session) name.parent.clear();
  return name;
}

std::string read_weak_key(const json::object& body) {
  if (const auto key = text_in(&body, "prompt_cache_key"); !key.empty()) return std::string(key);
  if (const auto user = text_in(object_in(body, "metadata"), "user_id"); !user.empty()) return std::string(user);
  return std::string(text_in(&body, "user"));
}

}  // namespace troupe::gateway
