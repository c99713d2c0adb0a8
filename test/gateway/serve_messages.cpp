// Anthropic's Messages protocol over real sockets: heads, frames, failures and counts.
#include "engine/store/text_seal.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const turn_usage usage{12, 8, 3, 1, 0, 0, 0};
const std::string messages_path = "/v1/messages?beta=true";
const std::string ask = R"({"model":"small","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]})";
const std::string ask_stream = R"({"model":"small","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hello"}]})";

std::string error_of(std::string_view type, std::string_view message, std::string_view request) {
  return R"({"type":"error","error":{"type":")" + std::string(type) + R"(","message":")" + std::string(message) + R"("},"request_id":")" +
         std::string(request) + "\"}";
}

}  // namespace

TEST_CASE("a message is answered with one JSON object and the request's id under both names") {
  serving fixture;
  fixture.node.play(answer_events().started(12, 8).text("Hel").text("lo").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto reply = client.post(messages_path, ask, {{"x-session-id", "lead"}, {"x-request-id", "r-1"}});
  CHECK(reply.status == 200);
  CHECK(reply.field("x-request-id") == "r-1");
  CHECK(reply.field("request-id") == "r-1");
  const auto body = parse_json(reply.body);
  CHECK(string_at(body, "/content/0/text") == "Hello");
  CHECK(string_at(body, "/stop_reason") == "end_turn");
  CHECK(body.at_pointer("/usage/input_tokens").as_int64() == 4);
  CHECK(body.at_pointer("/usage/cache_read_input_tokens").as_int64() == 8);
  CHECK(fixture.node.turn(1).tokens_max == 9);
  CHECK(client.post(chat_path, hello).field("request-id").empty());
}

TEST_CASE("a Messages stream begins with its event and leaves the connection open") {
  serving fixture;
  fixture.node.play(answer_events().started(12, 8).text("a").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.post(messages_path, ask_stream);
    CHECK(reply.field("content-type") == "text/event-stream; charset=utf-8");
    CHECK(reply.body.starts_with("event: message_start\ndata: {\"type\":\"message_start\""));
    CHECK(reply.body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  }
}

TEST_CASE("failures of the Messages protocol have Anthropic's shape before the first byte and in the stream") {
  serving fixture;
  auto client = fixture.connect();
  const http_fields id{{"x-request-id", "r-1"}};
  fixture.node.play([](const turn_request&) {
    turn_script script;
    script.refuse = failure{errc::queue_full, "too many", ""};
    return script;
  });
  const auto full = client.post(messages_path, ask_stream, id);
  CHECK(full.status == 529);
  CHECK(full.field("retry-after") == "1");
  CHECK(full.field("request-id") == "r-1");
  CHECK(full.body == error_of("overloaded_error", "too many", "r-1"));
  CHECK(client.post(chat_path, hello).status == 429);

  fixture.node.play(answer_events().failed({errc::context_length_exceeded, "prompt is too long: 9 tokens > 8 maximum", ""}));
  const auto too_long = client.post(messages_path, ask, id);
  CHECK(too_long.status == 400);
  CHECK(too_long.body == error_of("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "r-1"));

  const auto method = client.request("GET", "/v1/messages", {}, id);
  CHECK(method.status == 405);
  CHECK(method.field("allow") == "POST");
  CHECK(method.body == error_of("invalid_request_error", "this path takes POST", "r-1"));
  const auto model = client.request("GET", "/v1/models/none", {}, {{"anthropic-version", "2023-06-01"}, {"x-request-id", "r-1"}});
  CHECK(model.status == 404);
  CHECK(model.body == error_of("not_found_error", "the model 'none' is not served here", "r-1"));

  fixture.node.play(answer_events().started(1, 0).text("a").failed({errc::worker_lost, "the worker died", ""}));
  const auto cut = client.post(messages_path, ask_stream, id);
  CHECK(cut.status == 200);
  CHECK(cut.body.ends_with("event: error\ndata: " + error_of("api_error", "the worker died", "r-1") + "\n\n"));
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a body that is too large is refused in the shape of its path") {
  auto options = test_options();
  options.body_bytes_max = 100;
  serving fixture(options);
  const std::string large(101, 'x');
  const auto reply = fixture.connect().post("/v1/messages", large, {{"x-request-id", "r-1"}});
  CHECK(reply.status == 413);
  CHECK(reply.body == error_of("request_too_large", "the body must be at most 100 bytes long", "r-1"));
  CHECK(string_at(parse_json(fixture.connect().post(chat_path, large).body), "/error/code") == "body_too_large");
}

TEST_CASE("tokens are counted as the node renders them, without a turn") {
  serving fixture;
  fixture.node.answer_renders([](const render_request& request) { return "<s>" + request.input; });
  auto client = fixture.connect();
  const auto reply = client.post("/v1/messages/count_tokens", ask);
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"input_tokens":8})");
  CHECK(fixture.node.render(1).model.value == "small");
  CHECK(fixture.node.turns() == 0);
  fixture.node.answer_renders([](const render_request&) -> expected<std::string> {
    return failure{errc::template_failed, "it raised", ""};
  });
  const auto failed = client.post("/v1/messages/count_tokens", ask, {{"x-request-id", "r-1"}});
  CHECK(failed.status == 400);
  CHECK(failed.body == error_of("invalid_request_error", "it raised", "r-1"));
}

TEST_CASE("a tenant's thinking is known again by its signature, whatever its client makes of the text") {
  auto options = test_options();
  options.reasoning_seal = std::make_shared<store::text_seal>(store::block_cipher::key{});
  serving fixture(options);
  fixture.node.play(answer_events().reasoning("raw thought").text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto first = parse_json(client.post(messages_path, ask).body);
  const auto signature = string_at(first, "/content/0/signature");
  CHECK(string_at(first, "/content/0/thinking") == "raw thought");
  const auto told = [&](const std::string& block) {
    const auto before = fixture.node.turns();
    const auto reply = client.post(messages_path, R"({"model":"small","max_tokens":9,"messages":[{"role":"user","content":"Hello"},)"
                                                  R"({"role":"assistant","content":[{"type":"thinking",)" +
                                                      block + R"(},{"type":"text","text":"one"}]},{"role":"user","content":"on"}]})");
    CHECK(reply.status == 200);
    return fixture.node.turn(before + 1).prompt.messages[1].blocks[0].text;
  };
  CHECK(told(R"("thinking":"cut","signature":")" + signature + "\"") == "raw thought");
  auto altered = signature;
  altered[altered.size() / 2] = altered[altered.size() / 2] == 'A' ? 'B' : 'A';
  CHECK(told(R"("thinking":"cut","signature":")" + altered + "\"") == "cut");
  const auto other = std::make_shared<store::text_seal>(store::block_cipher::key{})->seal("raw thought", "another tenant");
  CHECK(told(R"("thinking":"cut","signature":")" + other + "\"") == "cut");
}
