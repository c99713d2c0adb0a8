// Turns over real sockets: what a client sees of each answer, and what the session sees of each client.
#include "gateway/error_shape.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const turn_usage usage{12, 8, 3, 1, 0, 0, 0};

/// The data of each frame, without comments.
std::vector<std::string> frames_of(const std::string& body) {
  std::vector<std::string> frames;
  for (std::size_t begin = 0; begin < body.size();) {
    const auto end = body.find("\n\n", begin);
    REQUIRE(end != std::string::npos);
    const auto frame = body.substr(begin, end - begin);
    if (!frame.starts_with(":")) {
      REQUIRE(frame.starts_with("data: "));
      frames.push_back(frame.substr(6));
    }
    begin = end + 2;
  }
  return frames;
}

}  // namespace

TEST_CASE("a chat request is answered with one JSON object") {
  serving fixture;
  fixture.node.play(answer_events().started(12, 8).reasoning("hm").text("Hel").text("lo").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto reply = client.post(chat_path, hello, {{"x-session-id", "lead"}, {"x-parent-session-id", "root"}, {"x-request-id", "r-1"}});
  CHECK(reply.status == 200);
  CHECK(reply.field("content-type") == "application/json");
  CHECK(reply.field("x-request-id") == "r-1");
  CHECK(reply.field("x-session-id") == "lead");
  const auto body = parse_json(reply.body);
  CHECK(string_at(body, "/choices/0/message/content") == "Hello");
  CHECK(string_at(body, "/choices/0/message/reasoning_content") == "hm");
  CHECK(string_at(body, "/choices/0/finish_reason") == "stop");
  CHECK(string_at(body, "/model") == "small");
  CHECK(body.at_pointer("/usage/total_tokens").as_int64() == 15);
  CHECK(body.at_pointer("/usage/prompt_tokens_details/cached_tokens").as_int64() == 8);
  const auto turn = fixture.node.turn(1);
  CHECK(turn.prompt.messages == std::vector<chat_message>{{chat_role::user, {{chat_block::kind::text, "Hello", "", ""}}}});
  CHECK(turn.model.value == "small");
  CHECK(turn.timeout_ms > 590'000);
  CHECK(turn.timeout_ms <= 600'000);
  CHECK_FALSE(turn.hints.final_turn);
  CHECK(fixture.node.spawn(1).id.value == "lead");
  CHECK(fixture.node.spawn(1).parent.value == "root");
  CHECK(fixture.node.sink_gone(1) == turn.id);
  CHECK(fixture.node.cancels() == 0);
}

TEST_CASE("without a name a conversation is a session, whoever begins one anew another") {
  serving fixture;
  fixture.node.play(answer_events().text("Hi").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto first = client.post(chat_path, hello).field("x-session-id");
  const auto second = client.post(chat_path, hello).field("x-session-id");
  CHECK(first.size() == 37);
  CHECK(first.substr(0, 5) == "auto-");
  CHECK(first != second);
  CHECK(fixture.node.spawn(2).id.value == second);
  CHECK_FALSE(fixture.node.turn(1).hints.final_turn);
  CHECK(fixture.node.turn(1).id != fixture.node.turn(2).id);
  const auto on = client.post(chat_path, R"({"model":"small","messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"},
                                            {"role":"user","content":"more"}]})");
  CHECK(on.field("x-session-id") == second);  // both were told the same: the one that spoke last
}

TEST_CASE("without a name a text to complete is a session for one turn") {
  serving fixture;
  fixture.node.play(answer_events().text("Hi").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto name = client.post("/v1/completions", R"({"model":"small","prompt":"Hello"})").field("x-session-id");
  CHECK(name.substr(0, 5) == "once-");
  CHECK(fixture.node.turn(1).hints.final_turn);
}

TEST_CASE("a stream has its frames in order and leaves the connection open for the next request") {
  serving fixture;
  fixture.node.play(answer_events().started(12, 8).text("Hel").text("lo").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.post(chat_path, hello_stream);
    CHECK(reply.status == 200);
    CHECK(reply.field("content-type") == "text/event-stream; charset=utf-8");
    CHECK(reply.field("cache-control") == "no-cache");
    CHECK(reply.field("connection") == "keep-alive");
    const auto frames = frames_of(reply.body);
    REQUIRE(frames.size() == 5);
    CHECK(string_at(parse_json(frames[0]), "/choices/0/delta/role") == "assistant");
    CHECK(string_at(parse_json(frames[1]), "/choices/0/delta/content") == "Hel");
    CHECK(string_at(parse_json(frames[2]), "/choices/0/delta/content") == "lo");
    CHECK(string_at(parse_json(frames[3]), "/choices/0/finish_reason") == "stop");
    CHECK(frames[4] == "[DONE]");
  }
  CHECK(fixture.node.directories_asked() == 1);
}

TEST_CASE("the head of a stream is sent when the turn has started, not before") {
  serving fixture;
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream);
  fixture.node.turn(1);
  fixture.node.send(1, turn_started{{}, 12, 8});
  CHECK(client.read_until("\"role\":\"assistant\"").starts_with("HTTP/1.1 200 OK\r\n"));
  turn_delta delta;
  delta.text = "now";
  fixture.node.send(1, delta);
  CHECK(client.read_until("\"content\":\"now\"").find("HTTP/1.1") == std::string::npos);
  turn_finished finished;
  fixture.node.send(1, finished);
  CHECK(client.read_until("0\r\n\r\n").find("data: [DONE]") != std::string::npos);
}

TEST_CASE("tool calls arrive whole and streamed") {
  serving fixture;
  fixture.node.play(answer_events()
                        .started(12, 8)
                        .tool(0, "call_a", "ls")
                        .arguments(0, "{\"p\":")
                        .arguments(0, "1}")
                        .finished(turn_end::tool_calls, usage));
  auto client = fixture.connect();
  const std::string tools = R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"ls"}}])";
  const auto whole = parse_json(client.post(chat_path, tools + "}").body);
  CHECK(string_at(whole, "/choices/0/message/tool_calls/0/function/arguments") == "{\"p\":1}");
  CHECK(string_at(whole, "/choices/0/finish_reason") == "tool_calls");
  CHECK(fixture.node.turn(1).parse_tools);
  std::string arguments;
  const auto frames = frames_of(client.post(chat_path, tools + R"(,"stream":true,"stream_options":{"include_usage":true}})").body);
  REQUIRE(frames.size() == 7);
  CHECK(string_at(parse_json(frames[1]), "/choices/0/delta/tool_calls/0/id") == "call_a");
  for (const auto index : {2, 3}) arguments += string_at(parse_json(frames[index]), "/choices/0/delta/tool_calls/0/function/arguments");
  CHECK(arguments == "{\"p\":1}");
  CHECK(parse_json(frames[5]).at_pointer("/usage/completion_tokens").as_int64() == 3);
}

TEST_CASE("legacy completions are answered whole and streamed") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("upon").text(" a time").finished(turn_end::length, usage));
  auto client = fixture.connect();
  const auto whole = parse_json(client.post("/v1/completions", R"({"prompt":[1,2],"max_tokens":5})").body);
  CHECK(string_at(whole, "/choices/0/text") == "upon a time");
  CHECK(string_at(whole, "/choices/0/finish_reason") == "length");
  CHECK(fixture.node.turn(1).prompt.tokens == std::vector<token_id>{1, 2});
  const auto frames = frames_of(client.post("/v1/completions", R"({"prompt":"Once","stream":true})").body);
  REQUIRE(frames.size() == 4);
  CHECK(string_at(parse_json(frames[1]), "/choices/0/text") == " a time");
}

TEST_CASE("a delta that is told twice is written once, a missing one ends the answer") {
  serving fixture;
  auto events = answer_events().started(1, 0).text("a").text("b").all();
  events.push_back(events[1]);
  events.push_back(events[2]);
  events.push_back(turn_finished{});
  fixture.node.play(events);
  auto client = fixture.connect();
  CHECK(string_at(parse_json(client.post(chat_path, hello).body), "/choices/0/message/content") == "ab");
  events.erase(events.begin() + 1);
  fixture.node.play([events](const turn_request&) {
    turn_script script;
    script.events.assign(events.begin(), events.begin() + 2);
    return script;
  });
  const auto broken = client.post(chat_path, hello);
  CHECK(broken.status == 500);
  CHECK(fixture.node.cancel(1).why == errc::internal);
}

TEST_CASE("every error of a session has its status and shape before the first byte") {
  serving fixture;
  auto client = fixture.connect();
  for (std::size_t i = 1; i < errc_count; ++i) {
    const failure why{static_cast<errc>(i), "for a reason", "a.b"};
    CAPTURE(describe(why.code).name);
    for (const bool at_once : {true, false}) {
      fixture.node.play([&](const turn_request&) {
        turn_script script;
        if (at_once) script.refuse = why;
        script.events = answer_events().failed(why);
        return script;
      });
      for (const auto& body : {hello, hello_stream}) {
        const auto reply = client.post(chat_path, body);
        CHECK(reply.status == describe(why.code).http_status);
        CHECK(reply.body == gateway::error_json(why));
        CHECK((reply.field("retry-after") == "1") == describe(why.code).retryable);
        CHECK_FALSE(reply.field("x-request-id").empty());
      }
    }
  }
}

TEST_CASE("an error after the first byte is an event in the stream, and the connection closes") {
  serving fixture;
  const failure why{errc::worker_lost, "the worker died", ""};
  fixture.node.play(answer_events().started(1, 0).text("a").failed(why));
  auto client = fixture.connect();
  const auto reply = client.post(chat_path, hello_stream);
  CHECK(reply.status == 200);
  CHECK(frames_of(reply.body).back() == gateway::error_json(why));
  CHECK(reply.body.find("[DONE]") == std::string::npos);
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a directory's refusal reaches the client") {
  serving fixture;
  fixture.node.refuse_spawns({errc::queue_full, "too many sessions", ""});
  auto client = fixture.connect();
  const auto reply = client.post(chat_path, hello);
  CHECK(reply.status == 429);
  CHECK(string_at(parse_json(reply.body), "/error/code") == "queue_full");
}

TEST_CASE("a directory that died is asked for again") {
  serving fixture;
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  CHECK(client.post(chat_path, hello).status == 200);
  fixture.node.kill_directory();
  CHECK(client.post(chat_path, hello).status == 200);
  CHECK(fixture.node.directories_asked() == 2);
  fixture.node.kill_directory();
  CHECK(client.get("/v1/sessions").status == 200);
  CHECK(fixture.node.directories_asked() == 3);
}

TEST_CASE("a session that dies while it answers is an error, not a silence") {
  serving fixture;
  fixture.node.play([](const turn_request&) {
    turn_script script;
    script.events = answer_events().started(1, 0).text("a");
    script.die = true;
    return script;
  });
  auto client = fixture.connect();
  const auto whole = client.post(chat_path, hello);
  CHECK(whole.status == 503);
  CHECK(string_at(parse_json(whole.body), "/error/code") == "worker_lost");
  CHECK(frames_of(client.post(chat_path, hello_stream).body).back().find("\"code\":\"worker_lost\"") != std::string::npos);
}

TEST_CASE("a session that dies before it accepted is asked for once more") {
  serving fixture;
  fixture.node.play([](const turn_request&) {
    turn_script script;
    script.silent = true;
    return script;
  });
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello, {{"x-session-id", "s"}});
  fixture.node.turn(1);
  fixture.node.play(answer_events().text("second").finished(turn_end::stop, usage));
  fixture.node.kill_session("s");
  CHECK(string_at(parse_json(client.receive().body), "/choices/0/message/content") == "second");
  CHECK(fixture.node.turn(2).id == fixture.node.turn(1).id);
}

TEST_CASE("a deadline is a 504 before the first byte and an event after it, and cancels the turn") {
  serving fixture;
  auto client = fixture.connect();
  const http_fields soon{{"x-request-timeout-ms", "60"}};
  const auto reply = client.post(chat_path, hello_stream, soon);
  CHECK(reply.status == 504);
  CHECK(string_at(parse_json(reply.body), "/error/code") == "deadline_exceeded");
  CHECK(fixture.node.cancel(1).why == errc::deadline_exceeded);
  fixture.node.play(answer_events().started(1, 0).text("a"));
  const auto cut = client.post(chat_path, hello_stream, soon);
  CHECK(cut.status == 200);
  CHECK(frames_of(cut.body).back().find("\"code\":\"deadline_exceeded\"") != std::string::npos);
  CHECK(fixture.node.cancel(2).id == fixture.node.turn(2).id);
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a client that goes away while its one-turn session is being spawned takes that session along") {
  serving fixture;
  fixture.node.ignore_spawns();
  {
    auto client = fixture.connect();
    client.send_request("POST", "/v1/completions", R"({"model":"small","prompt":"Hello"})");
    fixture.node.spawn(1);
  }
  CHECK(fixture.node.verb(1).what == verb_kind::die);
  CHECK(fixture.node.verb(1).session == fixture.node.spawn(1).id);
}

TEST_CASE("a one-turn session whose spawn or turn fails is not left behind, a named one is left alone") {
  serving fixture;
  const std::string complete = "/v1/completions", body = R"({"model":"small","prompt":"Hello"})";
  fixture.node.play([](const turn_request&) {
    turn_script script;
    script.refuse = failure{errc::draining, "later", ""};
    return script;
  });
  auto client = fixture.connect();
  CHECK(client.post(complete, body, {{"x-session-id", "named"}}).status == 503);
  CHECK(client.post(complete, body).status == 503);
  CHECK(fixture.node.verb(1).what == verb_kind::die);
  CHECK(fixture.node.verb(1).session == fixture.node.spawn(2).id);
  fixture.node.refuse_spawns({errc::not_ready, "it took too long", ""});
  CHECK(client.post(complete, body, {{"x-session-id", "named"}}).status == 503);
  CHECK(client.post(complete, body).status == 503);
  CHECK(fixture.node.verb(2).session.value.starts_with("once-"));
}

TEST_CASE("a client that goes away cancels its turn and ends its sink, streamed or not") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a"));
  std::size_t n = 0;
  for (const auto& body : {hello, hello_stream}) {
    ++n;
    auto client = fixture.connect();
    client.send_request("POST", chat_path, body);
    const auto turn = fixture.node.turn(n);
    if (body == hello_stream) client.read_until("\"content\":\"a\"");
    client.close();
    CHECK(fixture.node.cancel(n).id == turn.id);
    CHECK(fixture.node.cancel(n).why == errc::cancelled);
    CHECK(fixture.node.sink_gone(n) == turn.id);
  }
}

TEST_CASE("a silent stream carries comments, also before it started") {
  auto options = test_options();
  options.sse_comment_interval = std::chrono::milliseconds(20);
  serving fixture(options);
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello_stream);
  CHECK(client.read_until(": keep-alive\n\n").starts_with("HTTP/1.1 200 OK"));
  fixture.node.send(1, turn_started{{}, 1, 0});
  client.read_until("\"role\":\"assistant\"");
  client.read_until(": keep-alive\n\n");
  client.read_until(": keep-alive\n\n");
  turn_finished failed;
  failed.how = turn_end::failed;
  failed.error = {errc::worker_lost, "gone", ""};
  fixture.node.send(1, failed);
  client.read_until("\"code\":\"worker_lost\"");
}

TEST_CASE("64 streams run side by side") {
  serving fixture;
  fixture.node.play([](const turn_request& turn) {
    turn_script script;
    answer_events events;
    events.started(1, 0);
    for (int i = 0; i < 50; ++i) events.text(turn.prompt.messages[0].blocks[0].text);
    script.events = events.finished(turn_end::stop, usage);
    return script;
  });
  std::vector<http_client> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(fixture.connect());
    clients.back().send_request("POST", chat_path,
                                R"({"stream":true,"messages":[{"role":"user","content":"c)" + std::to_string(i) + "\"}]}");
  }
  for (int i = 0; i < 64; ++i) {
    const auto frames = frames_of(clients[i].receive().body);
    REQUIRE(frames.size() == 53);
    std::string text, expected;
    for (int k = 1; k <= 50; ++k) text += string_at(parse_json(frames[k]), "/choices/0/delta/content");
    for (int k = 0; k < 50; ++k) expected.append("c").append(std::to_string(i));
    CHECK(text == expected);
  }
  CHECK(fixture.server->connections() == 64);
}
