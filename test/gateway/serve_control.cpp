// The control surface over real sockets: sessions, verbs, health, metrics.
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

TEST_CASE("a session is spawned, found, listed and told what happens to it") {
  serving fixture;
  auto client = fixture.connect();
  const std::string session =
      R"({"id":"a","object":"session","tenant":"default","parent":"root","model":"small","state":"idle","incarnation":1,"turns":3,"children":0,)"
      R"("usage":{"prompt_tokens":100,"cached_tokens":64,"output_tokens":7},"context_tokens":42,"prompt_roles":{"system":9,"output":4},"cache_miss":null,"created_ms":1000,"used_ms":2000,"paused_on":[]})";
  const auto spawned = client.post("/v1/sessions", R"({"id":"a","parent":"root"})");
  CHECK(spawned.status == 200);
  CHECK(spawned.body == session);
  CHECK(client.get("/v1/sessions/a").body == session);
  CHECK(client.get("/v1/sessions?limit=7").body == R"({"object":"list","data":[)" + session + "]}");
  CHECK(fixture.node.listing(1).limit == 7);
  CHECK(client.get("/v1/sessions/b").status == 404);
  const auto told = client.post("/v1/sessions/a/events", R"({"id":"e1","verb":"tool_pause","expect_ms":900,"tools":["ls"]})");
  CHECK(told.status == 200);
  CHECK(told.body == R"({"id":"e1","outcome":"accepted","blocks_freed":0})");
  CHECK(fixture.node.verb(1).tools == std::vector<std::string>{"ls"});
  CHECK(client.request("DELETE", "/v1/sessions/a").status == 200);
  CHECK(fixture.node.verb(2).what == verb_kind::die);
}

TEST_CASE("a verb that comes too late is missing with a 409, others have their outcome with a 200") {
  serving fixture;
  auto client = fixture.connect();
  const auto tell = [&](verb_outcome outcome) {
    fixture.node.answer_verbs([outcome](const session_verb& verb) { return verb_answer{verb.id, outcome, "why", 5}; });
    return client.post("/v1/sessions/a/events", R"({"id":"e","verb":"die"})");
  };
  for (const auto outcome : {verb_outcome::accepted, verb_outcome::clipped, verb_outcome::deferred, verb_outcome::rejected}) {
    const auto reply = tell(outcome);
    CHECK(reply.status == 200);
    CHECK(reply.body == R"({"id":"e","outcome":")" + std::string(to_string(outcome)) + R"(","blocks_freed":5,"detail":"why"})");
  }
  const auto late = tell(verb_outcome::missing);
  CHECK(late.status == 409);
  CHECK(late.body ==
        R"({"id":"e","outcome":"missing","blocks_freed":5,"detail":"why","error":{"message":"why","type":"invalid_request_error",)"
        R"("param":"id","code":"session_dead"}})");
  fixture.node.answer_verbs([](const session_verb&) -> expected<verb_answer> { return failure{errc::not_found, "no such session", "id"}; });
  CHECK(client.post("/v1/sessions/a/events", R"({"id":"e","verb":"die"})").status == 404);
}

TEST_CASE("health tells the node's state, readiness is a 503 until it is ready") {
  serving fixture;
  auto client = fixture.connect();
  node_status status{"loading", 1, 2, 3, {}};
  status.workers.resize(1);
  status.workers[0].model.value = "small";
  status.workers[0].blocks_total = 64;
  fixture.node.set_status(status);
  const auto health = parse_json(client.get("/health").body);
  CHECK(string_at(health, "/status") == "loading");
  CHECK(health.at_pointer("/turns_running").as_int64() == 2);
  CHECK(health.at_pointer("/workers/0/blocks/total").as_int64() == 64);
  const auto loading = client.get("/ready");
  CHECK(loading.status == 503);
  CHECK(loading.field("retry-after") == "1");
  CHECK(string_at(parse_json(loading.body), "/error/code") == "not_ready");
  status.state = "draining";
  fixture.node.set_status(status);
  CHECK(string_at(parse_json(client.get("/ready").body), "/error/code") == "draining");
  status.state = "ready";
  fixture.node.set_status(status);
  CHECK(client.get("/ready").status == 200);
  CHECK(client.get("/live").status == 200);
}

TEST_CASE("metrics are Prometheus text") {
  serving fixture;
  fixture.node.set_metrics("troupe_turns_total 3\n");
  const auto reply = fixture.connect().get("/metrics");
  CHECK(reply.field("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(reply.body == "troupe_turns_total 3\n");
}
