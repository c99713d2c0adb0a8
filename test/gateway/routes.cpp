#include "gateway/routes.hpp"

#include <doctest/doctest.h>

#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

struct routed {
  gateway_options options = test::test_options();
  caller who{};

  route_result operator()(std::string method, std::string path, std::string body = {}, std::vector<http_field> fields = {}) const {
    return dispatch(test::request_to(std::move(method), std::move(path), std::move(body), std::move(fields)),
                    {options, [next = std::uint64_t{0}]() mutable { return ++next; }, 1700, {}, who});
  }
};

failure failure_of(const route_result& result) {
  REQUIRE(std::holds_alternative<failure>(result));
  return std::get<failure>(result);
}

const std::string& body_of(const route_result& result) {
  REQUIRE(std::holds_alternative<http_response>(result));
  return std::get<http_response>(result).body;
}

const std::string model_json =
    R"({"id":"small","object":"model","created":1700000000,"owned_by":"troupe","type":"model","display_name":"small",)"
    R"("created_at":"2023-11-14T22:13:20Z","max_model_len":4096,"context_length":4096,"max_input_tokens":4096,"max_tokens":4096,)"
    R"("lifecycle":"active","capabilities":null,"line":null,"deprecated_at":null,"retires_at":null})";

}  // namespace

TEST_CASE("unknown paths are not found and unknown methods are told what the path takes") {
  const routed route;
  for (const auto* path : {"/", "/v1", "/v1/chat", "/v1/sessions/", "/v1/sessions//events", "/v1/models/", "/health/x", "*"})
    CHECK(failure_of(route("GET", path)).code == errc::not_found);
  const auto refused = std::get<refusal>(route("DELETE", "/v1/sessions"));
  CHECK(refused.why.code == errc::method_not_allowed);
  CHECK(refused.fields.back().name == "allow");
  CHECK(refused.fields.back().value == "GET, HEAD, POST");
  CHECK(std::get<refusal>(route("GET", "/v1/chat/completions")).fields.back().value == "POST");
  CHECK(std::get<refusal>(route("GET", "/v1/messages")).fields.back().value == "POST");
  CHECK(failure_of(route("GET", "/v1/models/%zz")).code == errc::invalid_request);
}

TEST_CASE("models are listed and found by name, alias and escape") {
  routed route;
  CHECK(body_of(route("GET", "/v1/models")) ==
        R"({"object":"list","data":[)" + model_json + R"(],"has_more":false,"first_id":"small","last_id":"small"})");
  CHECK(body_of(route("GET", "/v1/models?limit=1000")) == body_of(route("GET", "/v1/models")));
  CHECK(body_of(route("GET", "/v1/models/small")) == model_json);
  CHECK(body_of(route("GET", "/v1/models/gpt-9")) == model_json);
  CHECK(body_of(route("HEAD", "/v1/models/%73mall")) == model_json);
  CHECK(failure_of(route("GET", "/v1/models/big")).code == errc::model_not_found);
  route.options.models[0].name.value = "org/small";
  CHECK(body_of(route("GET", "/v1/models/org/small")) == body_of(route("GET", "/v1/models/org%2Fsmall")));
}

TEST_CASE("text is tokenised and tokens become text") {
  const routed route;
  CHECK(body_of(route("POST", "/tokenize", R"({"prompt":"ab"})")) == R"({"tokens":[1,97,98],"count":3,"max_model_len":4096})");
  CHECK(body_of(route("POST", "/tokenize", R"({"text":"a","add_special_tokens":false,"model":"gpt-1"})")) ==
        R"({"tokens":[97],"count":1,"max_model_len":4096})");
  CHECK(body_of(route("POST", "/detokenize", R"({"tokens":[104,105]})")) == R"({"prompt":"hi"})");
  CHECK(failure_of(route("POST", "/tokenize", "{}")).param == "prompt");
  CHECK(failure_of(route("POST", "/tokenize", R"({"prompt":1})")).param == "prompt");
  CHECK(failure_of(route("POST", "/tokenize", R"({"prompt":"a","model":"big"})")).code == errc::model_not_found);
  CHECK(failure_of(route("POST", "/tokenize", R"({"prompt":")" + std::string(limits::tokenize_bytes_max + 1, 'a') + "\"}")).code ==
        errc::body_too_large);
  CHECK(failure_of(route("POST", "/detokenize", "{}")).param == "tokens");
  CHECK(failure_of(route("POST", "/detokenize", R"({"tokens":[1,-5]})")).param == "tokens[1]");
}

TEST_CASE("a chat request becomes a turn with its session, model, deadline and hints") {
  const routed route;
  auto result =
      route("POST", "/v1/chat/completions",
            R"({"model":"gpt-4","stream":true,"messages":[{"role":"user","content":"Hi"}],"agent_hints":{"sched":{"priority":3}}})",
            {{"x-session-id", "lead"}, {"x-parent-session-id", "root"}, {"x-request-timeout-ms", "1500"}});
  REQUIRE(std::holds_alternative<turn_job>(result));
  const auto& job = std::get<turn_job>(result);
  CHECK(job.spawn.id.value == "lead");
  CHECK(job.spawn.parent.value == "root");
  CHECK(job.spawn.model.value == "small");
  CHECK(job.spawn.priority == 3);
  CHECK(job.turn.id.value == 1);
  CHECK(job.turn.model.value == "small");
  CHECK(job.turn.timeout_ms == 1500);
  CHECK(job.turn.hints.priority == 3);
  CHECK(job.stream);
  std::string out;
  job.writer->started({}, out);
  CHECK(out.starts_with(
      R"(data: {"id":"chatcmpl-0000000000000001","object":"chat.completion.chunk","created":1700,"model":"gpt-4","system_fingerprint":"fp_test",)"));
}

TEST_CASE("hints reach the turn, its salt, its breakpoints and the answer's head, within what their caller may ask for") {
  routed route;
  route.who.hints = {.priority_max = 5, .weight_max = 40, .ttl_max = std::chrono::seconds{9}};
  auto result = route("POST", "/v1/chat/completions",
                      R"({"model":"small","messages":[{"role":"user","content":[{"type":"text","text":"Hi","prompt_cache_breakpoint":{"mode":"explicit"}}]}],)"
                      R"("prompt_cache_key":"k","cache_salt":"theirs","agent_hints":{"echo":true,"priority":9,"cache":{"scope":"mine"}}})",
                      {{"x-session-id", "lead"}});
  REQUIRE(std::holds_alternative<turn_job>(result));
  const auto& job = std::get<turn_job>(result);
  CHECK(job.turn.hints.priority == 5);
  CHECK(job.spawn.priority == 5);
  CHECK(job.turn.hints.breakpoint_priority == 40);
  CHECK(job.turn.cache_salt == "mine");
  CHECK(job.turn.prompt.messages[0].blocks[0].cache_ttl_ms == 9'000);
  REQUIRE(job.fields.size() == 1);
  CHECK(job.fields[0].name == "x-agent-hints");
  CHECK(job.fields[0].value == "applied=cache.scope,cache.breakpoints;clipped=sched.priority,cache.breakpoints.ttl_ms;ignored=cache_salt,cache.group");
  const auto quiet = route("POST", "/v1/chat/completions", test::hello);
  CHECK(std::get<turn_job>(quiet).fields.empty());
}

TEST_CASE("verbs and spawns are clipped to what their caller may ask for, and the answer says so") {
  routed route;
  route.who.hints = {.priority_max = 5, .ttl_max = std::chrono::seconds{9}};
  const auto spawned = route("POST", "/v1/sessions", R"({"id":"a","agent_hints":{"priority":50}})");
  CHECK(std::get<session_spawn>(std::get<control_job>(spawned).request).priority == 5);
  const auto told = route("POST", "/v1/sessions/a/events", R"({"id":"e","verb":"pin","ttl_ms":10000})");
  const auto& job = std::get<control_job>(told);
  CHECK(std::get<session_verb>(job.request).ttl_ms == 9'000);
  CHECK(job.answer(verb_answer{"e", verb_outcome::accepted, {}, 0}).body ==
        R"({"id":"e","outcome":"clipped","blocks_freed":0,"detail":"at most 9000 ms"})");
}

TEST_CASE("a Messages request becomes a turn, whatever its query says") {
  const routed route;
  auto result = route("POST", "/v1/messages?beta=true",
                      R"({"model":"gpt-4","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]})", {{"x-session-id", "lead"}});
  REQUIRE(std::holds_alternative<turn_job>(result));
  const auto& job = std::get<turn_job>(result);
  CHECK(job.spawn.id.value == "lead");
  CHECK(job.turn.model.value == "small");
  CHECK(job.turn.tokens_max == 9);
  CHECK(job.turn.clip_tokens_max);
  CHECK(job.stream);
  std::string out;
  job.writer->started({{}, 5, 2}, out);
  CHECK(out.starts_with("event: message_start\ndata: "
                        R"({"type":"message_start","message":{"id":"msg_0000000000000001","type":"message","role":"assistant","model":"gpt-4",)"));
  CHECK(failure_of(route("POST", "/v1/messages", R"({"model":"big","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]})")).code ==
        errc::model_not_found);
}

TEST_CASE("a count renders the conversation and counts its tokens") {
  const routed route;
  const std::string body = R"({"model":"gpt-4","messages":[{"role":"user","content":"Hi"}]})";
  auto result = route("POST", "/v1/messages/count_tokens?beta=true", body);
  REQUIRE(std::holds_alternative<control_job>(result));
  const auto& job = std::get<control_job>(result);
  CHECK(std::get<render_request>(job.request) == render_request{{1}, {"small"}, "Hi"});
  CHECK(job.answer(render_result{"<user>Hi"}).body == R"({"input_tokens":8})");
  CHECK(failure_of(route("POST", "/v1/messages/count_tokens", R"({"messages":[]})")).param == "messages");
  CHECK(failure_of(route("POST", "/v1/messages/count_tokens", R"({"model":"big","messages":[{"role":"user","content":"Hi"}]})")).code ==
        errc::model_not_found);
  CHECK(failure_of(route("POST", "/v1/messages/count_tokens", std::string(limits::tokenize_bytes_max + 1, ' '))).code == errc::body_too_large);
  routed bare;
  bare.options.models[0].template_input = nullptr;
  CHECK(failure_of(bare("POST", "/v1/messages/count_tokens", body)).code == errc::unsupported_parameter);
}

TEST_CASE("timeouts are capped and must be numbers; unknown models and token ids are refused") {
  const routed route;
  const auto post = [&](std::string body, std::vector<http_field> fields) {
    return route("POST", "/v1/completions", std::move(body), std::move(fields));
  };
  const auto capped = post(R"({"prompt":"a"})", {{"x-request-timeout-ms", "999999999999"}});
  CHECK(std::get<turn_job>(capped).turn.timeout_ms == 3'600'000);
  CHECK(std::get<turn_job>(post(R"({"prompt":"a"})", {})).turn.timeout_ms == 600'000);
  for (const auto* text : {"0", "-1", "soon", "1s"})
    CHECK(failure_of(post(R"({"prompt":"a"})", {{"x-request-timeout-ms", text}})).param == "x-request-timeout-ms");
  CHECK(failure_of(post(R"({"prompt":"a","model":"big"})", {})).code == errc::model_not_found);
  CHECK(failure_of(post(R"({"prompt":[5,100]})", {})).param == "prompt[1]");
}

TEST_CASE("session routes become questions to the directory") {
  const routed route;
  const auto asked = [](const route_result& result) {
    REQUIRE(std::holds_alternative<control_job>(result));
    return std::get<control_job>(result).request;
  };
  const auto list = std::get<session_list>(asked(route("GET", "/v1/sessions?limit=5&dead=true")));
  CHECK(list.limit == 5);
  CHECK(list.with_dead);
  const auto spawn = std::get<session_spawn>(
      asked(route("POST", "/v1/sessions", R"({"id":"a","parent":"b","model":"gpt-1","agent_hints":{"priority":4}})")));
  CHECK(spawn.id.value == "a");
  CHECK(spawn.parent.value == "b");
  CHECK(spawn.model.value == "small");
  CHECK(spawn.priority == 4);
  CHECK(std::get<session_spawn>(asked(route("POST", "/v1/sessions"))).id.value == "session-00000000000000010000000000000002");
  CHECK(std::get<session_find>(asked(route("GET", "/v1/sessions/a%2Fb"))).id.value == "a/b");
  const auto die = std::get<session_verb>(asked(route("DELETE", "/v1/sessions/a")));
  CHECK(die.what == verb_kind::die);
  CHECK(die.session.value == "a");
  CHECK(die.id == "delete-0000000000000001");
  const auto pause = std::get<session_verb>(
      asked(route("POST", "/v1/sessions/a/events", R"({"id":"e1","verb":"tool_pause","expect_ms":900,"tools":["ls","cat"]})")));
  CHECK(pause.id == "e1");
  CHECK(pause.what == verb_kind::tool_pause);
  CHECK(pause.expect_ms == 900);
  CHECK(pause.tools == std::vector<std::string>{"ls", "cat"});
}

TEST_CASE("wrong session requests are refused with the field at fault") {
  const routed route;
  CHECK(failure_of(route("GET", "/v1/sessions?limit=none")).param == "limit");
  CHECK(failure_of(route("GET", "/v1/sessions?limit=0")).param == "limit");
  CHECK(failure_of(route("POST", "/v1/sessions", R"({"id":"a b"})")).param == "id");
  CHECK(failure_of(route("POST", "/v1/sessions", R"({"id":"a","parent":"a"})")).param == "parent");
  CHECK(failure_of(route("POST", "/v1/sessions", R"({"model":"big"})")).code == errc::model_not_found);
  CHECK(failure_of(route("GET", "/v1/sessions/a%20b")).param == "id");
  CHECK(failure_of(route("POST", "/v1/sessions/a/events", R"({"verb":"die"})")).param == "id");
  CHECK(failure_of(route("POST", "/v1/sessions/a/events", R"({"id":"e","verb":"dance"})")).param == "verb");
  CHECK(failure_of(route("POST", "/v1/sessions/a/events", R"({"id":"e"})")).param == "verb");
  CHECK(failure_of(route("POST", "/v1/sessions/a/events", R"({"id":"e","verb":"resume","tools":[1]})")).param == "tools[0]");
  CHECK(failure_of(route("POST", "/v1/sessions/a/events", R"({"id":"e","verb":"tool_pause","expect_ms":-1})")).param == "expect_ms");
}
