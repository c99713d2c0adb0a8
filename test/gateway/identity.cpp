#include "gateway/identity.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

random_source counter() {
  return [next = std::uint64_t{0}]() mutable { return ++next; };
}

expected<turn_identity> identify(std::vector<http_field> fields, std::string_view body) {
  http_request request;
  request.fields = std::move(fields);
  return read_identity(request, *parse_object(body), counter());
}

}  // namespace

TEST_CASE("a session is named by header, else by hint, else drawn for one turn") {
  const auto by_header = identify({{"X-Session-Id", "lead"}, {"x-parent-session-id", "root"}}, R"({"agent_hints":{"session_id":"other"}})");
  REQUIRE(by_header);
  CHECK(by_header->session.value == "lead");
  CHECK(by_header->parent.value == "root");
  CHECK_FALSE(by_header->hints.final_turn);

  const auto by_group = identify({}, R"({"agent_hints":{"id":{"session":"a","parent":"b"}}})");
  REQUIRE(by_group);
  CHECK(by_group->session.value == "a");
  CHECK(by_group->parent.value == "b");

  const auto by_spelling = identify({}, R"({"agent_hints":{"session_id":"c","parent":"d"}})");
  REQUIRE(by_spelling);
  CHECK(by_spelling->session.value == "c");
  CHECK(by_spelling->parent.value == "d");

  const auto anonymous = identify({}, "{}");
  REQUIRE(anonymous);
  CHECK(anonymous->session.value == "once-00000000000000010000000000000002");
  CHECK(anonymous->parent.value == "");
  CHECK(anonymous->hints.final_turn);
}

TEST_CASE("Claude Code's headers name the lead, its subagents and theirs, after our own") {
  const http_field session{"X-Claude-Code-Session-Id", "u1"}, agent{"x-claude-code-agent-id", "a"}, parent{"x-claude-code-parent-agent-id", "p"};
  const auto names = [](std::vector<http_field> fields) {
    const auto found = identify(std::move(fields), "{}");
    REQUIRE(found);
    CHECK_FALSE(found->hints.final_turn);
    return found->session.value + " of " + found->parent.value;
  };
  CHECK(names({session}) == "u1 of ");
  CHECK(names({session, agent}) == "u1/a of u1");
  CHECK(names({session, agent, parent}) == "u1/a of u1/p");
  CHECK(names({session, agent, {"x-session-id", "own"}}) == "own of ");
  CHECK(names({session, agent, {"x-parent-session-id", "root"}}) == "u1/a of root");
  const auto refused = identify({{"x-claude-code-session-id", "a b"}}, "{}");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "x-claude-code-session-id");
}

TEST_CASE("hints are read in their groups and in their other spellings") {
  const auto grouped =
      identify({{"x-session-id", "s"}},
               R"({"agent_hints":{"id":{"final":true},"sched":{"priority":5},"shape":{"output_tokens":300},"pause":{"expect_ms":9000}}})");
  REQUIRE(grouped);
  CHECK(grouped->hints == agent_hints{5, 300, 9000, true});
  const auto flat = identify({{"x-session-id", "s"}}, R"({"agent_hints":{"priority":-2,"osl":10}})");
  REQUIRE(flat);
  CHECK(flat->hints == agent_hints{-2, 10, 0, false});
  const auto extension = identify({{"x-session-id", "s"}}, R"({"nvext":{"agent_hints":{"priority":7}}})");
  REQUIRE(extension);
  CHECK(extension->hints.priority == 7);
  CHECK(identify({}, R"({"agent_hints":{"priority":2147483647}})")->hints.priority == 100);
  CHECK(identify({}, R"({"agent_hints":{"priority":"high"}})").error().param == "agent_hints.priority");
  CHECK(identify({}, R"({"agent_hints":{"sched":{"priority":1.5}}})").error().param == "agent_hints.sched.priority");
}

TEST_CASE("hints say where and how long a context may be kept, in our words and in TensorRT-LLM's") {
  const auto ours = identify({{"x-session-id", "s"}},
                             R"({"agent_hints":{"cache":{"max_tier":"host","ttl_ms":5000,"retain":[{"start":16,"end":64,"weight":80,"ttl_ms":7},
                                {"token_start":0,"token_end":32,"priority":20,"duration_ms":9},{}]}}})");
  REQUIRE(ours);
  CHECK(ours->hints.max_tier == core::tier_level::host);
  CHECK(ours->hints.cache_ttl_ms == 5000);
  CHECK(ours->hints.retain == std::vector<retain_range>{{16, 64, 80, 7}, {0, 32, 20, 9}, {0, 0, 0, 300'000}});
  const auto param_of = [](std::string_view cache) {
    const auto refused = identify({{"x-session-id", "s"}}, R"({"agent_hints":{"cache":)" + std::string(cache) + "}}");
    return refused ? "taken" : refused.error().param;
  };
  CHECK(param_of(R"({"max_tier":"tape"})") == "agent_hints.cache.max_tier");
  CHECK(param_of(R"({"retain":[{"start":4,"end":4}]})") == "agent_hints.cache.retain[0].end");
  CHECK(param_of(R"({"retain":[{"weight":101}]})") == "agent_hints.cache.retain[0].weight");
  CHECK(param_of(R"({"retain":[7]})") == "agent_hints.cache.retain[0]");
}

TEST_CASE("a session id is short and printable, and no session is its own parent") {
  CHECK(identify({{"x-session-id", std::string(limits::session_id_bytes_max, 'a')}}, "{}"));
  CHECK(identify({{"x-session-id", std::string(limits::session_id_bytes_max + 1, 'a')}}, "{}").error().param == "x-session-id");
  CHECK(identify({{"x-session-id", "a b"}}, "{}").error().code == errc::invalid_request);
  CHECK(identify({{"x-session-id", "s"}, {"x-parent-session-id", "\x01"}}, "{}").error().param == "x-parent-session-id");
  CHECK(identify({}, R"({"agent_hints":{"id":{"session":""}}})").error().param == "agent_hints.id.session");
  CHECK(identify({}, R"({"agent_hints":{"session_id":7}})").error().param == "agent_hints.session_id");
  CHECK(identify({{"x-session-id", "s"}, {"x-parent-session-id", "s"}}, "{}").error().code == errc::invalid_request);
}

TEST_CASE("a client's request id is kept when it is plain, else replaced") {
  http_request request;
  CHECK(request_id_of(request, counter()) == "req-0000000000000001");
  request.fields = {{"x-request-id", "trace-1.2:3"}};
  CHECK(request_id_of(request, counter()) == "trace-1.2:3");
  request.fields = {{"x-request-id", "a b"}};
  CHECK(request_id_of(request, counter()) == "req-0000000000000001");
  request.fields = {{"x-request-id", std::string(129, 'a')}};
  CHECK(request_id_of(request, counter()) == "req-0000000000000001");
}
