#include "gateway/messages_stream.hpp"

#include <doctest/doctest.h>

#include "test/gateway/written_answer.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::answer_events;
using test::write;

namespace {

answer_shape shape_of(bool stream) {
  answer_shape shape;
  shape.id = "msg_1";
  shape.model = "claude-x";
  shape.turn.value = 0xAB;
  shape.stream = stream;
  return shape;
}

std::string streamed(const answer_events& events) { return write(*make_messages_writer(shape_of(true)), events.all()); }
std::string whole(const answer_events& events) { return write(*make_messages_writer(shape_of(false)), events.all()); }

/// What the last event of a stream counts: a whole answer has more members.
std::string counts_json(int input, int read, int output, int thinking) {
  return R"({"input_tokens":)" + std::to_string(input) + R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)" +
         std::to_string(read) + R"(,"output_tokens":)" + std::to_string(output) + R"(,"output_tokens_details":{"thinking_tokens":)" +
         std::to_string(thinking) + R"(},"server_tool_use":null})";
}

std::string usage_json(int input, int read, int output, int thinking) {
  auto counts = counts_json(input, read, output, thinking);
  counts.pop_back();
  return counts + R"(,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0})" +
         R"(,"service_tier":"standard","inference_geo":null,"speed":null})";
}

std::string frame(const std::string& type, const std::string& members) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + members + "}\n\n";
}
std::string begin_frame(int input, int read) {
  return frame(
      "message_start",
      R"(,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","diagnostics":null,"content":[],"stop_reason":null,)"
      R"("stop_sequence":null,"stop_details":null,"container":null,"usage":)" +
          usage_json(input, read, 0, 0) + "}");
}
std::string open_frame(int index, const std::string& block) {
  return frame("content_block_start", ",\"index\":" + std::to_string(index) + ",\"content_block\":" + block);
}
std::string delta_frame(int index, const std::string& delta) {
  return frame("content_block_delta", ",\"index\":" + std::to_string(index) + ",\"delta\":" + delta);
}
std::string close_frame(int index) { return frame("content_block_stop", ",\"index\":" + std::to_string(index)); }
std::string end_frames(const std::string& reason, const std::string& usage, const std::string& sequence = "null") {
  return frame("message_delta", R"(,"delta":{"stop_reason":")" + reason + R"(","stop_sequence":)" + sequence +
                                    R"(,"stop_details":null,"container":null},"usage":)" + usage) +
         frame("message_stop", "");
}

const std::string text_begin = R"({"type":"text","text":""})";
const turn_usage usage{10, 8, 4, 2, 0, 0, 0};
const auto final_usage = usage_json(2, 8, 4, 2), final_counts = counts_json(2, 8, 4, 2);

}  // namespace

TEST_CASE("a Messages stream has the real input at its start, blocks in turn, and the whole usage at its end, byte for byte") {
  CHECK(streamed(answer_events()
                     .started(10, 8)
                     .reasoning("h")
                     .reasoning("m")
                     .text("a \"b\"\n")
                     .text("")
                     .text("c")
                     .finished(turn_end::stop, usage)) ==
        begin_frame(2, 8) +  //
            open_frame(0, R"({"type":"thinking","thinking":"","signature":""})") +
            delta_frame(0, R"({"type":"thinking_delta","thinking":"h"})") +  //
            delta_frame(0, R"({"type":"thinking_delta","thinking":"m"})") +
            delta_frame(0, R"({"type":"signature_delta","signature":"troupe-00000000000000ab-0"})") + close_frame(0) +
            open_frame(1, text_begin) +                                      //
            delta_frame(1, R"({"type":"text_delta","text":"a \"b\"\n"})") +  //
            delta_frame(1, R"({"type":"text_delta","text":"c"})") + close_frame(1) + end_frames("end_turn", final_counts));
}

TEST_CASE("streamed calls are blocks of their own, and space between blocks is left out") {
  CHECK(streamed(answer_events()
                     .started(10, 0)
                     .text("\n")
                     .text("\nI look.")
                     .tool(0, "call_a", "ls")
                     .arguments(0, "{\"p\":")
                     .arguments(0, "1}")
                     .text("\n")
                     .tool(1, "", "pwd")
                     .text("\n")
                     .finished(turn_end::tool_calls, {10, 0, 4, 0, 0, 0, 0})) ==
        begin_frame(10, 0) +  //
            open_frame(0, text_begin) + delta_frame(0, R"({"type":"text_delta","text":"\n\nI look."})") + close_frame(0) +
            open_frame(1, R"({"type":"tool_use","id":"call_a","name":"ls","caller":{"type":"direct"},"input":{}})") +
            delta_frame(1, R"({"type":"input_json_delta","partial_json":"{\"p\":"})") +
            delta_frame(1, R"({"type":"input_json_delta","partial_json":"1}"})") + close_frame(1) +
            open_frame(2, R"({"type":"tool_use","id":"toolu_00000000000000ab1","name":"pwd","caller":{"type":"direct"},"input":{}})") +
            close_frame(2) + end_frames("tool_use", counts_json(10, 0, 4, 0)));
}

TEST_CASE("an answer without a word still begins and ends") {
  CHECK(streamed(answer_events().finished(turn_end::length, usage)) == begin_frame(2, 8) + end_frames("max_tokens", final_counts));
}

TEST_CASE("an answer that the context cut says so") {
  auto shape = shape_of(true);
  shape.tokens_max = 5;
  const auto ended_by = [&](std::uint32_t output_tokens) {
    const turn_usage used{10, 8, output_tokens, 0, 0, 0, 0};
    return write(*make_messages_writer(shape), answer_events().finished(turn_end::length, used).all());
  };
  CHECK(ended_by(5) == begin_frame(2, 8) + end_frames("max_tokens", counts_json(2, 8, 5, 0)));
  CHECK(ended_by(4) == begin_frame(2, 8) + end_frames("model_context_window_exceeded", counts_json(2, 8, 4, 0)));
}

TEST_CASE("a stop sequence is named, streamed and whole") {
  turn_finished event;
  event.stop_string = "END";
  event.usage = usage;
  std::string stream;
  make_messages_writer(shape_of(true))->finished(event, stream);
  CHECK(stream == begin_frame(2, 8) + end_frames("stop_sequence", final_counts, "\"END\""));
  std::string body;
  make_messages_writer(shape_of(false))->finished(event, body);
  CHECK(body.find(R"("content":[],"stop_reason":"stop_sequence","stop_sequence":"END",)") != std::string::npos);
}

TEST_CASE("a failure in a Messages stream is an error event with the request's id") {
  const auto writer = make_messages_writer(shape_of(true));
  auto out = write(*writer, answer_events().started(10, 8).text("a").all());
  out.clear();
  writer->failed({errc::queue_full, "too many", ""}, "req-1", out);
  CHECK(out ==
        "event: error\ndata: "
        R"({"type":"error","error":{"type":"overloaded_error","message":"too many"},"request_id":"req-1"})"
        "\n\n");
}

TEST_CASE("a whole message joins the pieces of its blocks") {
  CHECK(whole(answer_events()
                  .started(10, 8)
                  .reasoning("h")
                  .reasoning("m")
                  .text("\n")
                  .tool(0, "call_a", "ls")
                  .arguments(0, "{\"b\": 1.50,")
                  .arguments(0, "\"a\":2}")
                  .text("x")
                  .text("y")
                  .tool(1, "call_b", "pwd")
                  .arguments(1, "{\"cut")
                  .finished(turn_end::tool_calls, usage)) ==
        R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","diagnostics":null,"content":[)"
        R"({"type":"thinking","thinking":"hm","signature":"troupe-00000000000000ab-0"},)"
        R"({"type":"tool_use","id":"call_a","name":"ls","caller":{"type":"direct"},"input":{"b": 1.50,"a":2}},)"
        R"({"type":"text","text":"xy"},)"
        R"({"type":"tool_use","id":"call_b","name":"pwd","caller":{"type":"direct"},"input":{}}],)"
        R"("stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"container":null,"usage":)" +
            final_usage + "}");
}

TEST_CASE("a signature is the thinking itself, sealed, streamed and whole") {
  const reasoning_sealer seal = [](std::string_view text) { return "<" + std::string(text) + ">"; };
  const auto events = answer_events().started(10, 8).reasoning("h").reasoning("m").text("a").reasoning("again").finished(turn_end::stop, usage);
  const auto stream = write(*make_messages_writer(shape_of(true), seal), events.all());
  CHECK(stream.find(delta_frame(0, R"({"type":"signature_delta","signature":"<hm>"})") + close_frame(0)) != std::string::npos);
  CHECK(stream.find(delta_frame(2, R"({"type":"signature_delta","signature":"<again>"})") + close_frame(2)) != std::string::npos);
  const auto body = write(*make_messages_writer(shape_of(false), seal), events.all());
  CHECK(body.find(R"({"type":"thinking","thinking":"hm","signature":"<hm>"})") != std::string::npos);
  CHECK(body.find(R"({"type":"thinking","thinking":"again","signature":"<again>"})") != std::string::npos);
}

TEST_CASE("the prompt is what was read from the cache, what was added to it, and the rest, which is never nothing") {
  auto shape = shape_of(false);
  shape.block_tokens = 4;
  const auto counted = [&](std::uint32_t prompt, std::uint32_t cached) {
    const auto body =
        write(*make_messages_writer(shape), answer_events().finished(turn_end::stop, {prompt, cached, 4, 2, 0, 0, 0}).all());
    const auto from = body.find("\"input_tokens\""), to = body.find(",\"output_tokens\"");
    return body.substr(from, to - from) + " " + body.substr(body.find("\"ephemeral_5m"), body.find("},\"service_tier") - body.find("\"ephemeral_5m"));
  };
  CHECK(counted(18, 8) == R"("input_tokens":2,"cache_creation_input_tokens":8,"cache_read_input_tokens":8 )"
                          R"("ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":0)");
  CHECK(counted(16, 8) == R"("input_tokens":4,"cache_creation_input_tokens":4,"cache_read_input_tokens":8 )"
                          R"("ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":0)");
  CHECK(counted(3, 0) == R"("input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0 )"
                         R"("ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0)");
  shape.cache_ttl_ms = 3'600'000;
  CHECK(counted(18, 0) == R"("input_tokens":2,"cache_creation_input_tokens":16,"cache_read_input_tokens":0 )"
                          R"("ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":16)");
  shape.stream = true;
  std::string out;
  make_messages_writer(shape)->started({{}, 18, 8}, out);
  CHECK(out.find(R"("usage":{"input_tokens":2,"cache_creation_input_tokens":8,"cache_read_input_tokens":8,)") != std::string::npos);
}
