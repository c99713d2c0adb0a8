// Keys and quotas over real sockets.
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;
using gateway::access_key;

namespace {

const http_fields ours{{"authorization", "Bearer tk-ours"}}, theirs{{"x-api-key", "tk-theirs"}}, ops{{"authorization", "Bearer tk-ops"}};

gateway::gateway_options guarded() {
  auto options = test_options();
  std::vector<access_key> keys;
  for (const std::string name : {"ours", "theirs", "ops"}) {
    access_key key;
    key.hash = gateway::hash_of_key("tk-" + name);
    key.who.tenant = name == "ops" ? "default" : name;
    key.who.is_admin = name == "ops";
    keys.push_back(std::move(key));
  }
  options.keys = gateway::key_ring(std::move(keys));
  options.tenants = {{"ours", 1, 0}, {"theirs", 0, 0}};
  return options;
}

std::string code_of(const http_reply& reply) { return string_at(parse_json(reply.body), "/error/code"); }

answer_events hi() {
  answer_events events;
  events.started(5, 0).text("Hi").finished(turn_end::stop, {});
  return events;
}

}  // namespace

TEST_CASE("a stranger is refused in the path's shape before its body is read, and the connection closes") {
  serving fixture(guarded());
  auto client = fixture.connect();
  client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 60000000\r\n\r\n");
  const auto refused = client.receive();
  CHECK(refused.status == 401);
  CHECK(code_of(refused) == "unauthenticated");
  CHECK(string_at(parse_json(refused.body), "/error/type") == "authentication_error");
  CHECK(refused.field("www-authenticate") == "Bearer");
  CHECK(refused.field("retry-after") == "");
  CHECK(refused.field("connection") == "close");
  CHECK(client.read_to_end() == "");
  const auto messages = fixture.connect().post("/v1/messages", "{}", {{"x-api-key", "tk-nobody"}});
  CHECK(messages.status == 401);
  CHECK(string_at(parse_json(messages.body), "/error/type") == "authentication_error");
  CHECK(string_at(parse_json(messages.body), "/type") == "error");
  CHECK(messages.body.find("tk-nobody") == std::string::npos);
  auto head = fixture.connect();
  head.send_request("HEAD", "/v1/models");
  CHECK(head.receive_head_only().status == 401);
  CHECK(head.read_to_end() == "");
  CHECK(fixture.node.turns() == 0);
}

TEST_CASE("a key lets its tenant in, and an admin's key opens what is about everybody") {
  serving fixture(guarded());
  fixture.node.play(hi());
  auto client = fixture.connect();
  auto named = ours;
  named["x-session-id"] = "lead";
  const auto reply = client.post(chat_path, hello, named);
  CHECK(reply.status == 200);
  CHECK(reply.field("x-session-id") == "lead");
  CHECK(fixture.node.spawn(1).id.value == "ours lead");
  CHECK(client.get("/v1/sessions/lead", ours).status == 200);
  CHECK(client.get("/v1/sessions/lead", theirs).status == 404);
  CHECK(client.get("/v1/sessions/lead?tenant=ours", ops).status == 200);
  CHECK(client.get("/v1/sessions", theirs).status == 200);
  CHECK(fixture.node.listing(1).tenant == "theirs");
  CHECK(client.get("/metrics", ops).body.find("troupe_tenant_turns_running{tenant=\"ours\"} 0\n") != std::string::npos);
  CHECK(client.get("/health", ops).status == 200);
  const auto denied = client.get("/health", ours);
  CHECK(denied.status == 403);
  CHECK(code_of(denied) == "permission_denied");
  CHECK(string_at(parse_json(denied.body), "/error/type") == "permission_error");
}

TEST_CASE("liveness and readiness need no key and tell a stranger nothing else") {
  serving fixture(guarded());
  fixture.node.set_status({"ready", 7, 0, 0, {}});
  auto client = fixture.connect();
  CHECK(client.get("/live").body == R"({"status":"live"})");
  CHECK(client.get("/ready", {{"x-api-key", "wrong"}}).body == R"({"status":"ready"})");
  CHECK(parse_json(client.get("/ready", ops).body).at_pointer("/sessions").as_int64() == 7);
}

TEST_CASE("with keys a page of another site is kept out by the key it lacks") {
  serving fixture(guarded());
  auto fields = ours;
  fields["host"] = "models.example";
  fields["origin"] = "https://elsewhere.example";
  CHECK(fixture.connect().get("/v1/models", fields).status == 200);
  CHECK(fixture.connect().get("/v1/models", {{"host", "models.example"}}).status == 401);
}

TEST_CASE("pipelined requests are each judged by their own key") {
  serving fixture(guarded());
  auto client = fixture.connect();
  client.send_request("GET", "/v1/models", {}, ours);
  client.send_request("GET", "/health", {}, ops);
  client.send_request("GET", "/v1/models");
  CHECK(client.receive().status == 200);
  CHECK(client.receive().status == 200);
  CHECK(client.receive().status == 401);
}

TEST_CASE("a tenant's turn beyond its concurrency is a 429 until one has ended or its client is gone") {
  serving fixture(guarded());
  fixture.node.play(answer_events{}.started(5, 0));
  auto busy = fixture.connect();
  busy.send_request("POST", chat_path, hello_stream, ours);
  fixture.node.turn(1);
  auto client = fixture.connect();
  const auto refused = client.post("/v1/messages", R"({"model":"small","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]})", ours);
  CHECK(refused.status == 429);
  CHECK(string_at(parse_json(refused.body), "/error/type") == "rate_limit_error");
  CHECK(refused.field("retry-after") == "1");
  CHECK(refused.field("retry-after-ms") == "1000");
  CHECK(refused.field("x-should-retry") == "true");
  fixture.node.play(hi());
  CHECK(client.post(chat_path, hello, theirs).status == 200);
  CHECK(client.post(chat_path, hello, ours).status == 429);
  busy.close();
  fixture.node.cancel(1);
  fixture.node.sink_gone(1);
  auto status = 429;
  for (int tries = 0; status == 429 && tries < 10'000; ++tries) status = client.post(chat_path, hello, ours).status;
  CHECK(status == 200);
}

TEST_CASE("of bodies that are being read a tenant has no more than its share while another has any") {
  auto options = guarded();
  options.uploads_bytes_max = 100'000;
  serving fixture(options);
  const auto begin_upload = [&](const char* key, std::size_t bytes) {
    auto client = fixture.connect();
    client.send(std::string("POST /tokenize HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 200000\r\nx-api-key: ") + key + "\r\n\r\n");
    client.read_until("100 Continue\r\n\r\n");
    client.send(std::string(bytes, ' '));
    return client;
  };
  const std::string body = R"({"prompt":")" + std::string(30'000, 'x') + "\"}";
  auto stalled = begin_upload("tk-ours", 90'000);
  http_reply refused;
  for (int tries = 0; tries < 10'000 && refused.status != 429; ++tries) refused = fixture.connect().post("/tokenize", body, ours);
  CHECK(refused.status == 429);
  CHECK(code_of(refused) == "queue_full");
  CHECK(refused.field("retry-after") == "1");
  CHECK(fixture.connect().post("/tokenize", body, theirs).status == 200);
  auto other = begin_upload("tk-theirs", 30'000);
  stalled.send(std::string(20'000, ' '));  // the next piece of who has more than half
  CHECK(stalled.receive().status == 429);
  CHECK(fixture.connect().post("/tokenize", body, theirs).status == 200);
}

TEST_CASE("a tenant's kept turns are displaced by those of one that has fewer, and never the other way") {
  auto options = guarded();
  options.tenants.clear();
  options.kept_turns_max = 3;
  serving fixture(options);
  fixture.node.play(hi());
  auto client = fixture.connect();
  const auto post = [&](http_fields who, const std::string& key) {
    who["idempotency-key"] = key;
    return client.post(chat_path, hello, who);
  };
  for (const auto* key : {"a", "b", "c"}) CHECK(post(ours, key).status == 200);
  CHECK(post(ours, "d").status == 429);
  CHECK(post(theirs, "a").status == 200);
  CHECK(post(theirs, "b").status == 429);  // with it both would have two of three, and ours no less than it
  CHECK(post(ours, "b").field("idempotent-replayed") == "true");
  CHECK(post(ours, "c").field("idempotent-replayed") == "true");
  CHECK(post(theirs, "a").field("idempotent-replayed") == "true");
  CHECK(fixture.node.turns() == 4);
  CHECK(post(ours, "a").status == 429);  // it was displaced, and would run anew
}

TEST_CASE("kept answers of one tenant are given up for its own, and another's are said again") {
  auto options = guarded();
  options.tenants.clear();
  options.kept_turns_bytes_max = 250'000;
  serving fixture(options);
  fixture.node.play(answer_events().started(5, 0).text(std::string(60'000, 'x')).finished(turn_end::stop, {}));
  auto client = fixture.connect();
  const auto post = [&](http_fields who, const std::string& key) {
    who["idempotency-key"] = key;
    return client.post(chat_path, hello, who).status;
  };
  CHECK(post(theirs, "kept") == 200);
  for (const auto* key : {"a", "b", "c", "d", "e", "f"}) CHECK(post(ours, key) == 200);
  CHECK(post(ours, "c") == 410);
  CHECK(post(ours, "d") == 200);
  CHECK(post(ours, "f") == 200);
  CHECK(post(theirs, "kept") == 200);
  CHECK(fixture.node.turns() == 7);
}

TEST_CASE("a stranger that shows no key gives its place to whoever comes next") {
  auto options = guarded();
  options.connections_max = 3;
  serving fixture(options);
  auto known = fixture.connect();
  CHECK(known.get("/v1/models", ours).status == 200);
  auto first = fixture.connect(), second = fixture.connect();
  CHECK(second.get("/live").status == 200);  // without a key, and no less a stranger
  auto next = fixture.connect();
  CHECK(next.get("/v1/models", theirs).status == 200);
  CHECK(first.read_to_end().empty());
  CHECK(known.get("/v1/models", ours).status == 200);
}

TEST_CASE("an address beyond this machine is not listened on without keys") {
  auto options = test_options();
  options.address = "0.0.0.0";
  fake_node node;
  const auto refused = gateway::server::start(options, node.links());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_request);
  options.keys = guarded().keys;
  CHECK(gateway::server::start(options, node.links()));
}
