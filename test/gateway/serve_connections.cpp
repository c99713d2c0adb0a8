// The HTTP side over real sockets: limits, slow and vanishing clients, pipelining, and the two steps of an end.
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

std::string code_of(const http_reply& reply) { return string_at(parse_json(reply.body), "/error/code"); }

}  // namespace

TEST_CASE("unknown paths and methods have their status on a connection that stays open") {
  serving fixture;
  auto client = fixture.connect();
  CHECK(client.get("/nothing").status == 404);
  CHECK(client.get("/").status == 404);
  const auto refused = client.request("PUT", "/v1/models");
  CHECK(refused.status == 405);
  CHECK(refused.field("allow") == "GET, HEAD");
  CHECK(client.get("/live").body == R"({"status":"live"})");
  CHECK(fixture.server->connections() == 1);
}

TEST_CASE("a HEAD request gets the head of the GET and no body") {
  serving fixture;
  auto client = fixture.connect();
  const auto head = client.request("HEAD", "/v1/models");
  CHECK(head.status == 200);
  const auto get = client.get("/v1/models");
  CHECK(head.field("content-length") == std::to_string(get.body.size()));
}

TEST_CASE("requests that come in one piece are answered one after the other") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, {}));
  auto client = fixture.connect();
  const std::string post = "POST " + chat_path + " HTTP/1.1\r\nhost: localhost\r\ncontent-length: " + std::to_string(hello_stream.size()) +
                           "\r\n\r\n" + hello_stream;
  const std::string get = "GET /v1/models/small HTTP/1.1\r\nhost: localhost\r\n\r\n";
  client.send(get + post + get + post);
  for (int i = 0; i < 2; ++i) {
    CHECK(string_at(parse_json(client.receive().body), "/id") == "small");
    CHECK(client.receive().body.find("data: [DONE]") != std::string::npos);
  }
}

TEST_CASE("what comes behind requests in one piece is read as it came") {
  serving fixture;
  auto client = fixture.connect();
  const std::string head = " HTTP/1.1\r\nhost: localhost\r\n\r\n";
  for (int round = 0; round < 3; ++round) {
    client.send("GET /live" + head + "GET /health" + head);
    CHECK(client.receive().status == 200);
    CHECK(client.receive().status == 200);
    client.send("GET /none" + head);
    CHECK(client.receive().status == 404);
  }
}

TEST_CASE("a header that is too long is a 431 and the connection closes") {
  auto options = test_options();
  options.header_bytes_max = 1024;
  serving fixture(options);
  auto client = fixture.connect();
  client.send("GET /live HTTP/1.1\r\nhost: localhost\r\nx-long: " + std::string(200'000, 'a'));
  const auto reply = client.receive();
  CHECK(reply.status == 431);
  CHECK(code_of(reply) == "headers_too_large");
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a body that is too long is a 413, announced or chunked") {
  auto options = test_options();
  options.body_bytes_max = 1000;
  serving fixture(options);
  auto announced = fixture.connect();
  announced.send_request("POST", chat_path, std::string(300'000, ' '));
  const auto reply = announced.receive();
  CHECK(reply.status == 413);
  CHECK(code_of(reply) == "body_too_large");
  auto chunked = fixture.connect();
  chunked.send("POST /tokenize HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n400\r\n" + std::string(1024, 'x') +
               "\r\n0\r\n\r\n");
  CHECK(chunked.receive().status == 413);
}

TEST_CASE("a chunked body within the limit is read") {
  serving fixture;
  auto client = fixture.connect();
  client.send(
      "POST /tokenize HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{\"promp\r\nA\r\nt\": \"ab\" }\r\n0\r\n\r\n");
  const auto reply = client.receive();
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"tokens":[1,97,98],"count":3,"max_model_len":4096})");
}

TEST_CASE("what is not HTTP is a 400 and the connection closes") {
  serving fixture;
  auto client = fixture.connect();
  client.send("hello there\r\n\r\n");
  const auto reply = client.receive();
  CHECK(reply.status == 400);
  CHECK(code_of(reply) == "invalid_request");
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a body that is not JSON or compressed is a 400") {
  serving fixture;
  auto client = fixture.connect();
  CHECK(client.post(chat_path, "{\"messages\":").status == 400);
  CHECK(client.post(chat_path, "\xFF\xFE").status == 400);
  CHECK(client.post(chat_path, hello, {{"content-encoding", "gzip"}}).status == 400);
  CHECK(client.get("/live").status == 200);
}

TEST_CASE("a client may wait for 100 Continue before it sends the body") {
  serving fixture;
  auto client = fixture.connect();
  client.send("POST /tokenize HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 15\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(R"({"prompt":"ab"})");
  CHECK(client.receive().status == 200);
}

TEST_CASE("slow writers are cut: a header, a body, and a connection that says nothing") {
  auto options = test_options();
  options.header_wait = options.body_wait = std::chrono::milliseconds(40);
  serving fixture(options);
  for (const auto* start : {"", "GET /live HTTP/1.1\r\nho", "POST /tokenize HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{"}) {
    auto client = fixture.connect();
    client.send(start);
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("an idle connection is closed after its wait") {
  auto options = test_options();
  options.keep_alive_wait = std::chrono::milliseconds(40);
  serving fixture(options);
  auto client = fixture.connect();
  CHECK(client.get("/live").status == 200);
  CHECK(client.read_to_end().empty());
  CHECK(fixture.server->wait_until_idle(std::chrono::seconds(10)));
}

TEST_CASE("a reader that takes nothing is cut at the limit and its turn cancelled") {
  auto options = test_options();
  options.stream_bytes_queued_max = 64 << 10;
  serving fixture(options);
  answer_events events;
  events.started(1, 0);
  for (int i = 0; i < 400; ++i) events.text(std::string(64 << 10, 'a'));  // 25 MiB: more than both sockets hold
  fixture.node.play(events);
  http_client client(fixture.server->port(), {.receive_buffer_bytes = 4096});
  client.send_request("POST", chat_path, hello_stream);
  CHECK(fixture.node.cancel(1).id == fixture.node.turn(1).id);
  CHECK(fixture.server->wait_until_idle(std::chrono::seconds(10)));
}

TEST_CASE("a reader that stops taking is cut after its wait") {
  auto options = test_options();
  options.write_wait = std::chrono::milliseconds(60);
  options.stream_bytes_queued_max = 1 << 30;
  serving fixture(options);
  fixture.node.play(answer_events().started(1, 0).text(std::string(32 << 20, 'a')));
  http_client client(fixture.server->port(), {.receive_buffer_bytes = 4096});
  client.send_request("POST", chat_path, hello_stream);
  CHECK(fixture.node.cancel(1).why == errc::cancelled);
}

TEST_CASE("one connection more than may be open takes the place of the one that has been idle longest") {
  auto options = test_options();
  options.connections_max = 2;
  serving fixture(options);
  auto first = fixture.connect();
  auto second = fixture.connect();
  CHECK(first.get("/live").status == 200);
  CHECK(second.get("/live").status == 200);
  auto third = fixture.connect();
  CHECK(third.get("/live").status == 200);
  CHECK(first.read_to_end().empty());
  CHECK(second.get("/live").status == 200);
}

TEST_CASE("while all connections are at work one more is told so, and a silent one gives its place to the next") {
  auto options = test_options();
  options.connections_max = 2;
  serving fixture(options);
  auto first = fixture.connect();
  auto second = fixture.connect();
  for (auto* busy : {&first, &second}) busy->send_request("POST", chat_path, hello);
  fixture.node.turn(2);
  auto silent = fixture.connect();
  auto third = fixture.connect();
  const auto refused = third.get("/live");
  CHECK(refused.status == 429);
  CHECK(code_of(refused) == "queue_full");
  CHECK(refused.field("retry-after") == "1");
  CHECK(silent.read_to_end().empty());
  const std::vector<gateway::turn_event> answer = answer_events().started(1, 0).text("a").finished(turn_end::stop, {});
  for (const auto number : {1, 2})
    for (const auto& event : answer) fixture.node.send(number, event);
  CHECK(first.receive().status == 200);
  CHECK(second.receive().status == 200);
}

TEST_CASE("a client that half-closes after a short request is answered") {
  serving fixture;
  auto client = fixture.connect();
  client.send_request("GET", "/health");
  client.shutdown_send();
  CHECK(client.receive().status == 200);
  CHECK(client.read_to_end().empty());
}

TEST_CASE("HTTP/1.0 gets a stream without chunks that ends with the connection") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, {}));
  auto client = fixture.connect();
  client.send("POST " + chat_path + " HTTP/1.0\r\ncontent-length: " + std::to_string(hello_stream.size()) + "\r\n\r\n" + hello_stream);
  const auto answer = client.read_to_end();
  CHECK(answer.find("transfer-encoding") == std::string::npos);
  CHECK(answer.ends_with("data: [DONE]\n\n"));
}

TEST_CASE("browsers of other sites and rebound names are refused") {
  serving fixture;
  auto client = fixture.connect();
  const auto cross = client.post(chat_path, hello, {{"origin", "https://evil.example"}});
  CHECK(cross.status == 403);
  CHECK(code_of(cross) == "forbidden_origin");
  CHECK(cross.field("access-control-allow-origin").empty());
  CHECK(client.request("GET", "/live", {}, {{"host", "rebound.example"}}).status == 403);
  CHECK(client.get("/live", {{"origin", "http://127.0.0.1:" + std::to_string(fixture.server->port())}}).status == 200);
  CHECK(fixture.node.turns() == 0);
}

TEST_CASE("draining closes idle connections, finishes running answers and takes nothing new") {
  auto options = test_options();
  options.linger_wait = std::chrono::milliseconds(20);  // these clients keep their end open
  serving fixture(options);
  auto idle = fixture.connect();
  CHECK(idle.get("/live").status == 200);
  auto busy = fixture.connect();
  busy.send_request("POST", chat_path, hello_stream);
  fixture.node.send(1, turn_started{{}, 1, 0});
  busy.read_until("\"role\":\"assistant\"");
  fixture.server->drain();
  CHECK(idle.read_to_end().empty());
  CHECK_FALSE(fixture.server->wait_until_idle(std::chrono::milliseconds(1)));
  turn_delta delta;
  delta.text = "still here";
  fixture.node.send(1, delta);
  fixture.node.send(1, turn_finished{});
  const auto rest = busy.read_to_end();
  CHECK(rest.find("still here") != std::string::npos);
  CHECK(rest.ends_with("0\r\n\r\n"));
  CHECK(fixture.server->wait_until_idle(std::chrono::seconds(10)));
  CHECK_THROWS(fixture.connect().get("/live"));
}

TEST_CASE("stopping cuts what is left and cancels its turns") {
  serving fixture;
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello);
  fixture.node.turn(1);
  fixture.server->stop();
  CHECK(client.read_to_end().empty());
  CHECK(fixture.node.cancel(1).why == errc::cancelled);
  CHECK(fixture.server->connections() == 0);
}

TEST_CASE("an address that is none or taken is a failure with its reason") {
  fake_node node;
  auto options = test_options();
  options.address = "nowhere";
  CHECK(gateway::server::start(options, node.links()).error().code == errc::invalid_request);
  options.address = "192.0.2.1";
  options.keys = gateway::key_ring({gateway::access_key{}});
  CHECK(gateway::server::start(options, node.links()).error().code == errc::io_failed);
}

TEST_CASE("two I/O threads serve the same connections") {
  auto options = test_options();
  options.io_threads = 2;
  serving fixture(options);
  fixture.node.play(answer_events().started(1, 0).text("a").text("b").finished(turn_end::stop, {}));
  std::vector<http_client> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(fixture.connect());
  for (int round = 0; round < 8; ++round) {
    for (auto& client : clients) client.send_request("POST", chat_path, hello_stream);
    for (auto& client : clients) CHECK(client.receive().body.ends_with("data: [DONE]\n\n"));
  }
}
