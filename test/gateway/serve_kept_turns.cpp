// Turns with an idempotency key over real sockets: repeats, cuts at every frame, clients that come back and clients that do not.
#include "gateway/error_shape.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const turn_usage usage{12, 8, 3, 1, 0, 0, 0};
const std::string messages_stream = R"({"model":"small","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hello"}]})";
const std::string completion_stream = R"({"model":"small","prompt":"Hello","stream":true})";

http_fields keyed(const std::string& key, const std::string& seen = {}) {
  http_fields fields{{"idempotency-key", key}};
  if (!seen.empty()) fields["last-event-id"] = seen;
  return fields;
}

std::string code_of(const http_reply& reply) { return string_at(parse_json(reply.body), "/error/code"); }

/// The body within an answer's bytes, as far as whole chunks of it have come.
std::string unchunked(const std::string& bytes) {
  std::string body;
  auto at = bytes.find("\r\n\r\n");
  REQUIRE(at != std::string::npos);
  for (at += 4; at < bytes.size();) {
    const auto line = bytes.find("\r\n", at);
    if (line == std::string::npos) break;
    const auto size = std::stoul(bytes.substr(at, line - at), nullptr, 16);
    if (line + 2 + size > bytes.size()) break;
    body += bytes.substr(line + 2, size);
    at = line + size + 4;
  }
  return body;
}

/// Where each frame of a stream ends. Their ids are checked to count from 1.
std::vector<std::size_t> frame_ends(const std::string& stream) {
  std::vector<std::size_t> ends;
  for (std::size_t begin = 0; begin < stream.size(); begin = ends.back()) {
    CHECK(stream.substr(begin, 4) == "id: ");
    CHECK(stream.substr(begin + 4, stream.find('\n', begin) - begin - 4) == std::to_string(ends.size() + 1));
    ends.push_back(stream.find("\n\n", begin) + 2);
  }
  return ends;
}

using events = std::vector<gateway::turn_event>;

events long_answer(int pieces, std::size_t bytes) {
  answer_events answer;
  answer.started(1, 0);
  for (int i = 0; i < pieces; ++i) answer.text(std::string(bytes, static_cast<char>('a' + i % 26)));
  return answer.finished(turn_end::stop, usage);
}

void send_all(serving& fixture, const events& all) {
  for (const auto& event : all) fixture.node.send(1, event);
}

}  // namespace

TEST_CASE("a repeat of a whole answer is the same answer of the same turn") {
  serving fixture;
  fixture.node.play(answer_events().started(12, 8).text("Hello").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto first = client.post(chat_path, hello, {{"idempotency-key", "k"}, {"x-request-id", "r-1"}, {"x-session-id", "lead"}});
  const auto again = fixture.connect().post(chat_path, hello, {{"idempotency-key", "k"}, {"x-request-id", "r-2"}});
  CHECK(first.status == 200);
  CHECK(first.field("idempotent-replayed").empty());
  CHECK(first.field("x-request-id") == "r-1");
  CHECK(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(again.field("idempotent-replayed") == "true");
  CHECK(again.field("x-request-id") == "r-2");
  CHECK(again.field("x-session-id") == "lead");
  CHECK(fixture.node.turns() == 1);
  CHECK(client.post(chat_path, hello).status == 200);
  CHECK(fixture.node.turns() == 2);
}

TEST_CASE("a repeat while the turn runs waits for its answer") {
  serving fixture;
  auto first = fixture.connect();
  auto second = fixture.connect();
  first.send_request("POST", chat_path, hello, keyed("k"));
  fixture.node.turn(1);
  second.send_request("POST", chat_path, hello, keyed("k"));
  send_all(fixture, answer_events().started(1, 0).text("now").finished(turn_end::stop, usage));
  const auto body = first.receive().body;
  CHECK(string_at(parse_json(body), "/choices/0/message/content") == "now");
  CHECK(second.receive().body == body);
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("a key names one request: another body is refused, another path is another turn") {
  serving fixture;
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  CHECK(client.post(chat_path, hello, keyed("k")).status == 200);
  const auto refused = client.post(chat_path, hello_stream, keyed("k"));
  CHECK(refused.status == 422);
  CHECK(code_of(refused) == "idempotency_mismatch");
  CHECK(string_at(parse_json(refused.body), "/error/type") == "idempotency_error");
  CHECK(client.post("/v1/completions", completion_stream, keyed("k")).status == 200);
  CHECK(fixture.node.turns() == 2);
  const auto other = client.post("/v1/messages", "{}", keyed("m"));
  CHECK(other.status == 400);
  CHECK(client.post("/v1/messages", messages_stream, keyed("m")).status == 200);  // what was refused was no turn
}

TEST_CASE("a stream goes on behind any of its frames, without gap or repeat") {
  for (const auto& [path, body] : {std::pair{chat_path, hello_stream},
                                   {std::string("/v1/messages"), messages_stream},
                                   {std::string("/v1/completions"), completion_stream}}) {
    CAPTURE(path);
    serving fixture;
    fixture.node.play(answer_events().started(12, 8).reasoning("hm").text("Hel").text("lo").finished(turn_end::stop, usage));
    auto client = fixture.connect();
    const auto whole = client.post(path, body, keyed("k")).body;
    const auto ends = frame_ends(whole);
    CHECK(ends.size() >= 5);
    CHECK(client.post(path, body, keyed("k")).body == whole);
    CHECK(client.post(path, body, keyed("k", "0")).body == whole);
    for (std::size_t cut = 1; cut <= ends.size(); ++cut) {
      const auto rest = client.post(path, body, keyed("k", std::to_string(cut)));
      CHECK(rest.status == 200);
      CHECK(whole.substr(0, ends[cut - 1]) + rest.body == whole);
    }
    CHECK(fixture.node.turns() == 1);
  }
}

TEST_CASE("a connection that is cut after any event is gone on with while the turn runs") {
  const events answer = answer_events().started(12, 8).reasoning("hm").text("Hel").text("lo").finished(turn_end::stop, usage);
  for (const auto& [path, body] : {std::pair{chat_path, hello_stream}, {std::string("/v1/messages"), messages_stream}}) {
    serving fixture;
    for (std::size_t cut = 1; cut < answer.size(); ++cut) {
      const auto key = std::to_string(cut);
      auto first = fixture.connect();
      first.send_request("POST", path, body, keyed(key));
      fixture.node.turn(cut);
      std::string bytes, seen;
      for (std::size_t i = 0; i < cut; ++i) {
        fixture.node.send(cut, answer[i]);
        bytes += first.read_until("\n\n\r\n");
        seen = unchunked(bytes);
      }
      first.close();
      const auto frames = frame_ends(seen).size();
      auto second = fixture.connect();
      second.send_request("POST", path, body, keyed(key, std::to_string(frames)));
      for (std::size_t i = cut; i < answer.size(); ++i) fixture.node.send(cut, answer[i]);
      const auto rest = second.receive().body;
      CHECK(seen + rest == second.post(path, body, keyed(key)).body);
      CHECK(rest.find(path == chat_path ? "[DONE]" : "message_stop") != std::string::npos);
    }
    CHECK(fixture.node.turns() == answer.size() - 1);
    CHECK(fixture.node.cancels() == 0);
  }
}

TEST_CASE("an answer waits for a client that went away") {
  serving fixture;
  {
    auto client = fixture.connect();
    client.send_request("POST", chat_path, hello, keyed("k"));
    fixture.node.turn(1);
  }
  auto client = fixture.connect();
  CHECK(client.get("/live").status == 200);
  send_all(fixture, answer_events().started(1, 0).text("late").finished(turn_end::stop, usage));
  CHECK(string_at(parse_json(client.post(chat_path, hello, keyed("k")).body), "/choices/0/message/content") == "late");
  CHECK(fixture.node.turns() == 1);
  CHECK(fixture.node.cancels() == 0);
}

TEST_CASE("a turn that nobody comes back for is cancelled and runs anew") {
  auto options = test_options();
  options.kept_turn_orphan_wait = std::chrono::milliseconds(20);
  serving fixture(options);
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream, keyed("k"));
  fixture.node.turn(1);
  fixture.node.send(1, turn_started{{}, 1, 0});
  client.read_until("\"role\":\"assistant\"");
  client.close();
  CHECK(fixture.node.cancel(1).why == errc::cancelled);
  CHECK(fixture.node.sink_gone(1) == fixture.node.turn(1).id);
  auto back = fixture.connect();
  const auto refused = back.post(chat_path, hello_stream, keyed("k", "1"));
  CHECK(refused.status == 404);
  CHECK(code_of(refused) == "not_found");
  CHECK(fixture.node.turns() == 1);
  fixture.node.play(answer_events().started(1, 0).text("anew").finished(turn_end::stop, usage));
  CHECK(back.post(chat_path, hello_stream, keyed("k")).body.find("anew") != std::string::npos);
  CHECK(fixture.node.turns() == 2);
}

TEST_CASE("an error before the first byte is not remembered") {
  serving fixture;
  auto client = fixture.connect();
  for (const auto& body : {hello, hello_stream}) {
    CAPTURE(body);
    const auto key = std::to_string(body.size());
    fixture.node.play([](const turn_request&) {
      turn_script script;
      script.refuse = failure{errc::queue_full, "later", ""};
      return script;
    });
    const auto refused = client.post(chat_path, body, keyed(key));
    CHECK(refused.status == 429);
    CHECK(refused.field("retry-after") == "1");
    fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, usage));
    const auto answer = client.post(chat_path, body, keyed(key));
    CHECK(answer.status == 200);
    CHECK(answer.field("idempotent-replayed").empty());
  }
  CHECK(fixture.node.turns() == 4);
}

TEST_CASE("an error within a stream is part of it, and the connections that read it close") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a").failed({errc::worker_lost, "the worker died", ""}));
  auto client = fixture.connect();
  const auto first = client.post(chat_path, hello_stream, keyed("k"));
  CHECK(first.body.find("\"code\":\"worker_lost\"") != std::string::npos);
  CHECK(client.read_to_end().empty());
  auto again = fixture.connect();
  CHECK(again.post(chat_path, hello_stream, keyed("k")).body == first.body);
  CHECK(again.read_to_end().empty());
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("comments of a silent stream have no id, and an error behind them alone is not remembered") {
  auto options = test_options();
  options.sse_comment_interval = std::chrono::milliseconds(20);
  serving fixture(options);
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream, keyed("k"));
  CHECK(client.read_until(": keep-alive\n\n").find("\nid: ") == std::string::npos);
  turn_finished failed;
  failed.how = turn_end::failed;
  failed.error = {errc::worker_lost, "gone", ""};
  fixture.node.send(1, failed);
  CHECK(client.read_until("worker_lost").find("id: 1\ndata: ") != std::string::npos);
  fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, usage));
  const auto whole = fixture.connect().post(chat_path, hello_stream, keyed("k")).body;
  CHECK(whole.find("id: 4\ndata: [DONE]\n\n") != std::string::npos);
  CHECK(fixture.node.turns() == 2);
}

TEST_CASE("a long answer is read live to its end, and only its end can be read again") {
  auto options = test_options();
  options.kept_turn_bytes_max = 64 << 10;
  serving fixture(options);
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream, keyed("k"));
  std::string bytes;
  const auto answer = long_answer(100, 2000);
  for (const auto& event : answer) {
    fixture.node.send(1, event);
    bytes += client.read_until("\n\n\r\n");
  }
  while (!bytes.ends_with("\r\n0\r\n\r\n")) bytes += client.read_until("0\r\n\r\n");
  const auto whole = unchunked(bytes);
  const auto ends = frame_ends(whole);
  REQUIRE(ends.size() == 103);
  auto again = fixture.connect();
  for (const auto* seen : {"", "1", "50"}) {
    const auto refused = again.post(chat_path, hello_stream, keyed("k", seen));
    CHECK(refused.status == 410);
    CHECK(code_of(refused) == "answer_not_kept");
  }
  CHECK(whole.substr(0, ends[89]) + again.post(chat_path, hello_stream, keyed("k", "90")).body == whole);
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("frames that are longer than all that may wait on a connection are read, live and again") {
  auto options = test_options();
  options.stream_bytes_queued_max = 64 << 10;
  serving fixture(options);
  const auto answer = long_answer(4, 200'000);
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream, keyed("k"));
  fixture.node.turn(1);
  for (const auto& event : answer) fixture.node.send(1, event);
  const auto whole = client.receive().body;
  CHECK(frame_ends(whole).size() == 7);
  CHECK(whole.size() > 800'000);
  auto again = fixture.connect();
  CHECK(again.post(chat_path, hello_stream, keyed("k")).body == whole);
  CHECK(again.post(chat_path, hello_stream, keyed("k", "2")).body == whole.substr(frame_ends(whole)[1]));
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("when all kept answers are too large together, the one that ended longest ago is given up") {
  auto options = test_options();
  options.kept_turns_bytes_max = 250'000;
  serving fixture(options);
  fixture.node.play(long_answer(1, 100'000));
  auto client = fixture.connect();
  for (const auto* key : {"a", "b", "c"}) CHECK(client.post(chat_path, hello, keyed(key)).status == 200);
  CHECK(client.post(chat_path, hello, keyed("a")).status == 410);
  CHECK(client.post(chat_path, hello, keyed("b")).status == 200);
  CHECK(client.post(chat_path, hello, keyed("c")).status == 200);
  CHECK(fixture.node.turns() == 3);
}

TEST_CASE("one turn more than are kept is told to come later, until one is forgotten") {
  auto options = test_options();
  options.kept_turns_max = 1;
  options.kept_turn_time = std::chrono::milliseconds(30);
  serving fixture(options);
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  CHECK(client.post(chat_path, hello, keyed("a")).status == 200);
  http_reply reply;
  for (int tries = 0; tries < 100'000 && reply.status != 200; ++tries) {
    reply = client.post(chat_path, hello, keyed("b"));
    if (reply.status == 200) break;
    CHECK(reply.status == 429);
    CHECK(reply.field("retry-after") == "1");
  }
  CHECK(reply.status == 200);
  CHECK(fixture.node.turns() == 2);
}

TEST_CASE("a frame that nobody was sent, or a frame without a key, cannot be gone on from") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  CHECK(client.post(chat_path, hello_stream, keyed("k", "1")).status == 404);
  CHECK(client.post(chat_path, hello_stream, {{"last-event-id", "1"}}).status == 400);
  CHECK(fixture.node.turns() == 0);
  CHECK(client.post(chat_path, hello_stream, keyed("k")).status == 200);
  const auto refused = client.post(chat_path, hello_stream, keyed("k", "5"));
  CHECK(refused.status == 400);
  CHECK(string_at(parse_json(refused.body), "/error/param") == "last-event-id");
  const auto shaped = client.post("/v1/messages", messages_stream, keyed("k", "1"));
  CHECK(string_at(parse_json(shaped.body), "/error/type") == "not_found_error");
}

TEST_CASE("many readers of one turn see the same stream, whatever thread serves them") {
  auto options = test_options();
  options.io_threads = 2;
  serving fixture(options);
  std::vector<http_client> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(fixture.connect());
  clients[0].send_request("POST", chat_path, hello_stream, keyed("k"));
  const auto answer = long_answer(300, 50);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    fixture.node.send(1, answer[i]);
    if (i % 40 == 20 && i / 40 < 7) clients[i / 40 + 1].send_request("POST", chat_path, hello_stream, keyed("k"));
  }
  const auto whole = clients[0].receive().body;
  CHECK(frame_ends(whole).size() == 303);
  for (int i = 1; i < 8; ++i) CHECK(clients[i].receive().body == whole);
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("a reader that stops taking is cut, its turn is not, and it may come back") {
  auto options = test_options();
  options.write_wait = std::chrono::milliseconds(60);
  serving fixture(options);
  fixture.node.play(long_answer(200, 64 << 10));  // 13 MB: more than both sockets hold
  http_client slow(fixture.server->port(), {.receive_buffer_bytes = 4096});
  slow.send_request("POST", chat_path, hello_stream, keyed("k"));
  fixture.node.turn(1);
  CHECK(fixture.server->wait_until_idle(std::chrono::seconds(10)));
  CHECK(fixture.node.cancels() == 0);
  const auto whole = fixture.connect().post(chat_path, hello_stream, keyed("k")).body;
  CHECK(frame_ends(whole).size() == 203);
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("stopping cancels turns that go on without a client, and does not wait for what is kept") {
  serving fixture;
  {
    auto client = fixture.connect();
    client.send_request("POST", chat_path, hello, keyed("k"));
    fixture.node.turn(1);
  }
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, usage));
  CHECK(fixture.connect().post(chat_path, hello, keyed("ended")).status == 200);
  fixture.server->drain();
  CHECK(fixture.server->wait_until_idle(std::chrono::seconds(10)));
  fixture.server->stop();
  CHECK(fixture.node.cancel(1).why == errc::cancelled);
}
