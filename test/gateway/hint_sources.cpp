#include "gateway/hint_sources.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>

#include "gateway/hint_echo.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

hint_reading read(std::string_view body, std::vector<http_field> fields = {}) {
  http_request request;
  request.fields = std::move(fields);
  first_failure failed;
  auto reading = read_all_hints(request, *parse_object(body), failed);
  CHECK_FALSE(failed.any());
  return reading;
}

std::string refused(std::string_view body) {
  first_failure failed;
  read_all_hints({}, *parse_object(body), failed);
  return failed.any() ? failed.get().param : "";
}

std::string ignored(const hint_reading& reading, std::string_view spelling) {
  for (const auto& each : reading.report.ignored())
    if (each.spelling == spelling) return each.reason;
  return "";
}

}  // namespace

TEST_CASE("every spelling of a priority is the same priority, and lower is earlier for vLLM alone") {
  for (const auto* body : {R"({"agent_hints":{"sched":{"priority":7}}})", R"({"agent_hints":{"priority":7}})",
                           R"({"nvext":{"agent_hints":{"priority":7}}})", R"({"nvext":{"agent_hints":{"latency_sensitivity":7.5}}})",
                           R"({"priority":-7})"})
    CHECK(read(body).hints.priority == 7);
  CHECK(read("{}", {{"X-Agent-Priority", "7"}}).hints.priority == 7);
}

TEST_CASE("classes and tiers are read in our words, in headers, and as service tiers and speeds") {
  CHECK(read(R"({"agent_hints":{"sched":{"class":"background","tier":3}}})").hints.urgency == work_class::background);
  CHECK(read(R"({"agent_hints":{"sched":{"tier":3}}})").hints.tier == 3);
  CHECK(read(R"({"nvext":{"agent_hints":{"strict_priority":4}}})").hints.tier == 4);
  CHECK(read("{}", {{"x-agent-class", "interactive"}}).hints.urgency == work_class::interactive);
  const std::pair<const char*, work_class> words[] = {
      {R"({"service_tier":"priority"})", work_class::interactive}, {R"({"service_tier":"fast"})", work_class::interactive},
      {R"({"service_tier":"flex"})", work_class::background},      {R"({"service_tier":"batch"})", work_class::background},
      {R"({"service_tier":"scale"})", work_class::normal},         {R"({"service_tier":"standard_only"})", work_class::normal},
      {R"({"speed":"fast"})", work_class::interactive},            {R"({"speed":"standard"})", work_class::normal},
      {R"({"service_tier":"auto"})", work_class::normal}};
  for (const auto& [body, urgency] : words) CHECK(read(body).hints.urgency == urgency);
  CHECK(read(R"({"service_tier":"auto"})").report.applied().empty());
  CHECK(ignored(read(R"({"service_tier":"gold"})"), "service_tier") == "is no class that is known");
}

TEST_CASE("sizes, pauses, ends and what comes next") {
  CHECK(read(R"({"nvext":{"agent_hints":{"osl":40}}})").hints.output_tokens == 40);
  CHECK(read(R"({"agent_hints":{"shape":{"output_tokens":40,"thinking_tokens":90}}})").hints.output_tokens == 90);
  CHECK(read("{}", {{"x-agent-output-tokens", "12"}}).hints.output_tokens == 12);
  CHECK(read("{}", {{"x-agent-pause-ms", "9000"}}).hints.pause_ms == 9000);
  CHECK(read(R"({"agent_hints":{"next":{"resume_at_ms":1700000000000,"prefill":false}}})").hints.resume_at_ms == 1'700'000'000'000);
  CHECK_FALSE(read(R"({"agent_hints":{"next":{"prefill":false}}})").hints.speculate);
  CHECK_FALSE(read(R"({"nvext":{"agent_hints":{"speculative_prefill":false}}})").hints.speculate);
  CHECK_FALSE(read("{}", {{"x-agent-prefill", "0"}}).hints.speculate);
  CHECK(read("{}", {{"x-agent-final", "true"}}).hints.final_turn);
  CHECK(read(R"({"agent_hints":{"id":{"kind":"side"}}})").hints.is_side);
  CHECK(ignored(read(R"({"agent_hints":{"id":{"kind":"root"}}})"), "agent_hints.id.kind") == "is not needed: id.parent says who is a child");
}

TEST_CASE("a context is kept apart, and for a time, in every vendor's words") {
  for (const auto* body : {R"({"agent_hints":{"cache":{"scope":"s"}}})", R"({"cache_salt":"s"})", R"({"extra_key":"s"})"})
    CHECK(read(body).scope == "s");
  CHECK(read(R"({"prompt_cache_key":"k"})").group == "k");
  const std::pair<const char*, retain_range> spans[] = {
      {R"({"nvext":{"cache_control":{"type":"ephemeral","ttl":"1h"}}})", {0, 0, 60, 3'600'000}},
      {R"({"nvext":{"cache_control":{"type":"ephemeral"}}})", {0, 0, 60, 300'000}},
      {R"({"agent_hint":{"session_id":"s","cache_control":{"ttl":90}}})", {0, 0, 60, 90'000}},
      {R"({"prompt_cache_options":{"mode":"implicit","ttl":"30m"}})", {0, 0, 60, 1'800'000}},
      {R"({"prompt_cache_retention":"24h"})", {0, 0, 60, 86'400'000}},
      {R"({"kv_cache_retention_config":{"token_range_retention_configs":[{"token_start":8,"token_end":64,"priority":80,"duration_ms":5}]}})",
       {8, 64, 80, 5}}};
  for (const auto& [body, range] : spans) CHECK(read(body).hints.retain == std::vector{range});
  CHECK(read(R"({"prompt_cache_options":{"mode":"explicit","ttl":"30m"}})").hints.retain.empty());
  CHECK(read(R"({"prompt_cache_retention":"in_memory"})").hints.max_tier == core::tier_level::host);
  CHECK(read("{}", {{"x-agent-max-tier", "disk"}}).hints.max_tier == core::tier_level::disk);
  const auto marked = read(R"({"agent_hints":{"cache":{"retain":[{"at":{"message":2},"ttl_ms":7},{"phase":"decode"}]}}})");
  CHECK(marked.marks == std::vector<message_mark>{{2, UINT32_MAX, 7}});
  CHECK(marked.hints.retain.empty());
  CHECK(ignored(marked, "agent_hints.cache.retain[1]") == "the next prompt says what of an answer is kept");
}

TEST_CASE("agent_hints are heard before nvext, nvext before headers, headers before all others") {
  const auto* const all = R"({"agent_hints":{"priority":1},"nvext":{"agent_hints":{"priority":2}},"priority":-4})";
  const auto reading = read(all, {{"x-agent-priority", "3"}});
  CHECK(reading.hints.priority == 1);
  CHECK(reading.report.applied() == std::vector<hint_report::applied_hint>{{"sched.priority", "1"}});
  CHECK(reading.report.ignored() ==
        std::vector<hint_report::ignored_hint>{{"nvext.agent_hints.priority", "is said by agent_hints.priority already"},
                                               {"x-agent-priority", "is said by agent_hints.priority already"},
                                               {"priority", "is said by agent_hints.priority already"}});
  CHECK(read(R"({"nvext":{"agent_hints":{"priority":2}},"priority":-4})", {{"x-agent-priority", "3"}}).hints.priority == 2);
  CHECK(read(R"({"priority":-4})", {{"x-agent-priority", "3"}}).hints.priority == 3);
}

TEST_CASE("a wrong type is refused in our own object and left aside in anybody else's") {
  CHECK(refused(R"({"agent_hints":{"sched":{"class":"urgent"}}})") == "agent_hints.sched.class");
  CHECK(refused(R"({"agent_hints":{"sched":5}})") == "agent_hints.sched");
  CHECK(refused(R"({"agent_hints":{"echo":1}})") == "agent_hints.echo");
  CHECK(refused(R"({"agent_hints":{"next":{"prefill":"yes"}}})") == "agent_hints.next.prefill");
  CHECK(refused(R"({"agent_hints":{"pause":{"kind":"nap"}}})") == "agent_hints.pause.kind");
  const auto reading = read(R"({"nvext":{"agent_hints":{"osl":"many"}},"priority":"high","prompt_cache_retention":"long"})",
                            {{"x-agent-pause-ms", "soon"}});
  CHECK(reading.hints == agent_hints{});
  CHECK(ignored(reading, "nvext.agent_hints.osl") == "'nvext.agent_hints.osl' must be an integer");
  CHECK(ignored(reading, "x-agent-pause-ms") == "'x-agent-pause-ms' must be an integer");
  CHECK(ignored(reading, "priority") == "'priority' must be an integer");
  CHECK(ignored(reading, "prompt_cache_retention") == "must be a time such as 5m or 1h");
}

TEST_CASE("what has no effect here says why") {
  const auto reading = read(R"({"agent_hints":{"sched":{"deadline_ms":5},"mood":"good"},"kv_hints":{"actions":[]},"reasoning_effort":"low",)"
                            R"("thinking":{"type":"enabled","budget_tokens":9},"rid":"r"})");
  CHECK(ignored(reading, "agent_hints.sched.deadline_ms") == "orders no queue here; x-request-timeout-ms ends a turn");
  CHECK(ignored(reading, "agent_hints.mood") == "is not known");
  CHECK(ignored(reading, "kv_hints") == "is taken at POST /v1/kv_hints alone");
  CHECK(ignored(reading, "reasoning_effort") == "says too little of an answer's length");
  CHECK(ignored(reading, "thinking.budget_tokens") == "is a bound that is not kept, and no expectation");
  CHECK(ignored(reading, "rid") == "is not needed: x-request-id names a turn");
  CHECK(reading.report.applied().empty());
}

TEST_CASE("an echo is asked for in the hints or by header, a diagnosis by OpenAI's comparison") {
  CHECK(read(R"({"agent_hints":{"echo":true}})").wants_echo);
  CHECK(read("{}", {{"x-agent-hints-echo", "1"}}).wants_echo);
  CHECK_FALSE(read(R"({"agent_hints":{"priority":1}})").wants_echo);
  CHECK(read(R"({"prompt_cache_options":{"comparison_response_id":"resp_1"}})").wants_diagnosis);
}

TEST_CASE("a header tells the fields in characters that it may have, and no more than it may hold") {
  hint_report report;
  report.apply("sched.priority", "5");
  report.clip("cache.retain[0].ttl_ms", "9", "3");
  report.ignore("agent_hints.a\r\nx: b", "is not known");
  CHECK(hint_header(report) == "applied=sched.priority;clipped=cache.retain[0].ttl_ms;ignored=agent_hints.a??x??b");
  CHECK(hint_members(report) == R"("applied":{"sched.priority":5},"clipped":{"cache.retain[0].ttl_ms":{"asked":9,"given":3}},)"
                                R"("ignored":{"agent_hints.a\r\nx: b":"is not known"})");
  for (int i = 0; i < 100; ++i) report.ignore(std::string(90, 'x'), "is not known");
  CHECK(report.ignored().size() == 62);
  CHECK(hint_header(report).size() <= 1'024);
}
