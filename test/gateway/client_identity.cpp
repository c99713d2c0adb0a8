#include "gateway/client_identity.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "gateway/identity.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

client_name name_of(std::vector<http_field> fields, std::string_view body = "{}") {
  http_request request;
  request.fields = std::move(fields);
  return read_client_name(request, boost::json::parse(body).as_object());
}

}  // namespace

TEST_CASE("Claude Code: one session, subagents with names of their own, whose parent is the session or the subagent they name") {
  const auto lead = name_of({{"X-Claude-Code-Session-Id", "s1"}});
  CHECK(lead.source == "claude-code");
  CHECK(lead.session == "s1");
  CHECK(lead.parent.empty());
  const auto child = name_of({{"x-claude-code-session-id", "s1"}, {"x-claude-code-agent-id", "a"}});
  CHECK(child.session == "s1.a");
  CHECK(child.parent == "s1");
  const auto grandchild =
      name_of({{"x-claude-code-session-id", "s1"}, {"x-claude-code-agent-id", "b"}, {"x-claude-code-parent-agent-id", "a"}});
  CHECK(grandchild.session == "s1.b");
  CHECK(grandchild.parent == "s1.a");
}

TEST_CASE("Codex: a thread is an agent, the session its root") {
  const auto root = name_of({{"session-id", "t1"}, {"thread-id", "t1"}});
  CHECK(root.source == "codex");
  CHECK(root.session == "t1");
  CHECK(root.parent.empty());
  const auto child = name_of({{"session-id", "t1"}, {"thread-id", "t2"}, {"x-openai-subagent", "collab_spawn"}});
  CHECK(child.session == "t2");
  CHECK(child.parent == "t1");
  const auto grandchild =
      name_of({{"session-id", "t1"}, {"thread-id", "t3"}, {"x-codex-parent-thread-id", "t2"}, {"x-openai-subagent", "collab_spawn"}});
  CHECK(grandchild.parent == "t2");
  CHECK(name_of({{"session-id", "alone"}}).source.empty());  // not Codex' alone
}

TEST_CASE("Dynamo: headers, trajectories, session control, and the word that a turn is the last") {
  const auto header = name_of({{"X-Dynamo-Session-ID", "d"}, {"X-Dynamo-Parent-Session-ID", "p"}, {"X-Dynamo-Session-Final", "True"}});
  CHECK(header.session == "d");
  CHECK(header.parent == "p");
  CHECK(header.is_final);
  const auto trajectory = name_of(
      {}, R"({"nvext":{"agent_context":{"session_id":"s","trajectory_id":"t","parent_trajectory_id":"u","trajectory_final":true}}})");
  CHECK(trajectory.session == "t");
  CHECK(trajectory.parent == "u");
  CHECK(trajectory.is_final);
  CHECK(name_of({}, R"({"nvext":{"agent_context":{"session_id":"s"}}})").session == "s");
  const auto closing = name_of({}, R"({"nvext":{"session_control":{"session_id":"c","action":"close"}}})");
  CHECK(closing.session == "c");
  CHECK(closing.is_final);
  CHECK(name_of({}, R"({"nvext":{"session_control":7,"agent_context":[]}})").source.empty());
}

TEST_CASE("engines: vLLM's agent hint, SGLang's session parameters") {
  const auto child = name_of({}, R"({"agent_hint":{"session_id":"a","parent_session_id":"b"}})");
  CHECK(child.source == "vllm");
  CHECK(child.session == "a");
  CHECK(child.parent == "b");
  const auto slot = name_of({}, R"({"session_params":{"id":"s","offset":4}})");
  CHECK(slot.source == "sglang");
  CHECK(slot.session == "s");
  CHECK(name_of({}, R"({"agent_hint":7,"session_params":{"id":7}})").source.empty());
}

TEST_CASE("our own names come before a client's, and a client's that cannot name a session is left aside") {
  const auto identify = [](std::vector<http_field> fields) {
    http_request request;
    request.fields = std::move(fields);
    return *read_identity(request, {}, [] { return std::uint64_t{7}; });
  };
  const auto both = identify({{"x-session-id", "ours"}, {"x-claude-code-session-id", "theirs"}});
  CHECK(both.session.value == "ours");
  CHECK(both.is_named);
  const auto client = identify({{"x-claude-code-session-id", "s"}, {"x-claude-code-agent-id", "a"}});
  CHECK(client.session.value == "s.a");
  CHECK(client.parent.value == "s");
  CHECK(client.is_named);
  CHECK_FALSE(client.hints.final_turn);
  const auto unusable = identify({{"x-claude-code-session-id", "two words"}});
  CHECK_FALSE(unusable.is_named);
  CHECK(unusable.session.value == "once-00000000000000070000000000000007");
  CHECK(unusable.hints.final_turn);
  CHECK_FALSE(unusable.is_final);
}

TEST_CASE("weak keys say whose a conversation is, the nearest to the cache first") {
  const auto key_of = [](std::string_view body) { return read_weak_key(boost::json::parse(body).as_object()); };
  CHECK(key_of(R"({"prompt_cache_key":"k","user":"u","metadata":{"user_id":"m"}})") == "k");
  CHECK(key_of(R"({"user":"u","metadata":{"user_id":"m"}})") == "m");
  CHECK(key_of(R"({"user":"u","metadata":"none"})") == "u");
  CHECK(key_of(R"({"user":3})") == "");
}
