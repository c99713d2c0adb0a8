#include "gateway/responses_stream.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "test/gateway/written_answer.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::answer_events;
using test::write;
namespace json = boost::json;

namespace {

answer_shape shape_of(bool stream) {
  answer_shape shape;
  shape.id = "resp_00000000000000ab";
  shape.model = "gpt-x";
  shape.created_s = 1700;
  shape.turn.value = 0xAB;
  shape.stream = stream;
  return shape;
}

std::shared_ptr<responses_wish> plain_wish() {
  auto wish = std::make_shared<responses_wish>();
  wish->echo = R"("tools":[])";
  return wish;
}

std::string streamed(const answer_events& events, std::shared_ptr<responses_wish> wish = plain_wish(), reasoning_sealer seal = {}) {
  return write(*make_responses_writer(shape_of(true), std::move(wish), std::move(seal)), events.all());
}
std::string whole(const answer_events& events, std::shared_ptr<responses_wish> wish = plain_wish(), reasoning_sealer seal = {}) {
  return write(*make_responses_writer(shape_of(false), std::move(wish), std::move(seal)), events.all());
}

std::string response(const std::string& status, const std::string& output, const std::string& usage = {},
                     const std::string& error = "null") {
  return R"({"id":"resp_00000000000000ab","object":"response","created_at":1700,"status":")" + status + R"(","error":)" + error +
         R"(,"incomplete_details":)" + (status == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null") +
         R"(,"model":"gpt-x","output":[)" + output + R"(],"tools":[],"store":)" +
         (status == "failed" ? "false" : "true") + usage + "}";
}

/// Frames with their numbers, as a stream's are.
class frames {
 public:
  frames& add(const std::string& type, const std::string& members) {
    text_ += "event: " + type + "\ndata: {\"type\":\"" + type + "\",\"sequence_number\":" + std::to_string(next_++) + members + "}\n\n";
    return *this;
  }
  frames& begin() {
    add("response.created", ",\"response\":" + response("in_progress", ""));
    return add("response.in_progress", ",\"response\":" + response("in_progress", ""));
  }
  frames& item(const std::string& what, int index, const std::string& item) {
    return add("response.output_item." + what, ",\"output_index\":" + std::to_string(index) + ",\"item\":" + item);
  }
  /// Of an item: what says which one it is, then `members`.
  frames& of(const std::string& type, const std::string& id, int index, const std::string& members) {
    return add("response." + type, ",\"item_id\":\"" + id + "\",\"output_index\":" + std::to_string(index) + members);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  int next_ = 0;
};

const turn_usage usage{10, 8, 4, 2, 0, 0, 0};
const std::string usage_json =
    R"(,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":8,"cache_write_tokens":0},"output_tokens":4,)"
    R"("output_tokens_details":{"reasoning_tokens":2},"total_tokens":14})";
const std::string rs = "rs_00000000000000ab", msg = "msg_00000000000000ab", fc = "fc_00000000000000ab", ctc = "ctc_00000000000000ab";

std::string message_item(const std::string& id, const std::string& text, const std::string& status) {
  return R"({"id":")" + id + R"(","type":"message","role":"assistant","content":[)" +
         (status == "in_progress" ? "" : R"({"type":"output_text","annotations":[],"logprobs":[],"text":")" + text + "\"}") +
         R"(],"status":")" + status + "\"}";
}
std::string call_item(const std::string& id, const std::string& call, const std::string& name, const std::string& arguments,
                      const std::string& status, const std::string& more = {}) {
  return R"({"id":")" + id + R"(","type":"function_call","call_id":")" + call + R"(","name":")" + name + R"(","arguments":")" + arguments +
         "\"" + more + R"(,"status":")" + status + "\"}";
}
std::string part(const std::string& text) {
  return R"(,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":")" + text + "\"}";
}

}  // namespace

TEST_CASE("a Responses stream shows reasoning and text as items with their parts, byte for byte") {
  const std::string thought = R"({"id":"rs_00000000000000ab0","type":"reasoning","summary":[],"content":[)";
  const std::string thought_part = R"({"type":"reasoning_text","text":)";
  const auto done = thought + thought_part + R"("hm"}],"status":"completed"})";
  const auto said = message_item(msg + "1", R"(a \"b\"c)", "completed");
  frames expected;
  expected.begin()
      .item("added", 0, thought + R"(],"status":"in_progress"})")
      .of("content_part.added", rs + "0", 0, ",\"content_index\":0,\"part\":" + thought_part + "\"\"}")
      .of("reasoning_text.delta", rs + "0", 0, R"(,"content_index":0,"delta":"h")")
      .of("reasoning_text.delta", rs + "0", 0, R"(,"content_index":0,"delta":"m")")
      .of("reasoning_text.done", rs + "0", 0, R"(,"content_index":0,"text":"hm")")
      .of("content_part.done", rs + "0", 0, ",\"content_index\":0,\"part\":" + thought_part + "\"hm\"}")
      .item("done", 0, done)
      .item("added", 1, message_item(msg + "1", "", "in_progress"))
      .of("content_part.added", msg + "1", 1, part(""))
      .of("output_text.delta", msg + "1", 1, R"(,"content_index":0,"delta":"a \"b\"","logprobs":[])")
      .of("output_text.delta", msg + "1", 1, R"(,"content_index":0,"delta":"c","logprobs":[])")
      .of("output_text.done", msg + "1", 1, R"(,"content_index":0,"text":"a \"b\"c","logprobs":[])")
      .of("content_part.done", msg + "1", 1, part(R"(a \"b\"c)"))
      .item("done", 1, said)
      .add("response.completed", ",\"response\":" + response("completed", done + "," + said, usage_json));
  const auto events =
      answer_events().started(10, 8).reasoning("h").reasoning("m").text("a \"b\"").text("").text("c").finished(turn_end::stop, usage);
  CHECK(streamed(events) == expected.text());
  CHECK(whole(events) == response("completed", done + "," + said, usage_json));
}

TEST_CASE("who asks for summaries is told the reasoning once, as the only part of one") {
  auto wish = plain_wish();
  wish->summarised = wish->encrypted_reasoning = true;
  const auto seal = [](std::string_view text) { return "sealed:" + std::string(text); };
  const std::string thought = R"({"id":"rs_00000000000000ab0","type":"reasoning","summary":[)";
  const std::string thought_part = R"({"type":"summary_text","text":)";
  const auto done = thought + thought_part + R"("hm"}],"encrypted_content":"sealed:hm","status":"completed"})";
  frames expected;
  expected.begin()
      .item("added", 0, thought + R"(],"status":"in_progress"})")
      .of("reasoning_summary_part.added", rs + "0", 0, ",\"summary_index\":0,\"part\":" + thought_part + "\"\"}")
      .of("reasoning_summary_text.delta", rs + "0", 0, R"(,"summary_index":0,"delta":"h")")
      .of("reasoning_summary_text.delta", rs + "0", 0, R"(,"summary_index":0,"delta":"m")")
      .of("reasoning_summary_text.done", rs + "0", 0, R"(,"summary_index":0,"text":"hm")")
      .of("reasoning_summary_part.done", rs + "0", 0, ",\"summary_index\":0,\"part\":" + thought_part + "\"hm\"}")
      .item("done", 0, done)
      .add("response.completed", ",\"response\":" + response("completed", done, usage_json));
  const auto events = answer_events().started(10, 8).reasoning("h").reasoning("m").finished(turn_end::stop, usage);
  CHECK(streamed(events, wish, seal) == expected.text());
  CHECK(whole(events, wish, seal) == response("completed", done, usage_json));
}

TEST_CASE("an item's id says whether it is of the form that ours have") {
  CHECK(is_own_item("rs_00000000000000ab0"));
  CHECK(is_own_item("rs_00000000000000ab12"));
  CHECK_FALSE(is_own_item("rs_00000000000000ab"));
  CHECK_FALSE(is_own_item("rs_00000000000000AB0"));
  CHECK_FALSE(is_own_item("rs_68a1f0c2d4b08197a3c1e5f7092b4d6e0a1b2c3d4e5f6071"));
  CHECK_FALSE(is_own_item(""));
}

TEST_CASE("calls are items of their own with their arguments as they come, and space between items is left out") {
  const auto said = message_item(msg + "0", R"(\n\nI look.)", "completed");
  const auto first = call_item(fc + "1", "call_a", "ls", R"({\"p\":1})", "completed");
  const auto second = call_item(fc + "2", "call_00000000000000ab1", "pwd", "", "completed");
  frames expected;
  expected.begin()
      .item("added", 0, message_item(msg + "0", "", "in_progress"))
      .of("content_part.added", msg + "0", 0, part(""))
      .of("output_text.delta", msg + "0", 0, R"(,"content_index":0,"delta":"\n\nI look.","logprobs":[])")
      .of("output_text.done", msg + "0", 0, R"(,"content_index":0,"text":"\n\nI look.","logprobs":[])")
      .of("content_part.done", msg + "0", 0, part(R"(\n\nI look.)"))
      .item("done", 0, said)
      .item("added", 1, call_item(fc + "1", "call_a", "ls", "", "in_progress"))
      .of("function_call_arguments.delta", fc + "1", 1, R"(,"delta":"{\"p\":")")
      .of("function_call_arguments.delta", fc + "1", 1, R"(,"delta":"1}")")
      .of("function_call_arguments.done", fc + "1", 1, R"(,"name":"ls","arguments":"{\"p\":1}")")
      .item("done", 1, first)
      .item("added", 2, call_item(fc + "2", "call_00000000000000ab1", "pwd", "", "in_progress"))
      .of("function_call_arguments.done", fc + "2", 2, R"(,"name":"pwd","arguments":"")")
      .item("done", 2, second)
      .add("response.completed", ",\"response\":" + response("completed", said + "," + first + "," + second, usage_json));
  CHECK(streamed(answer_events()
                     .started(10, 8)
                     .text("\n")
                     .text("\nI look.")
                     .tool(0, "call_a", "ls")
                     .arguments(0, "{\"p\":")
                     .arguments(0, "1}")
                     .text("\n")
                     .tool(1, "", "pwd")
                     .text("\n")
                     .finished(turn_end::tool_calls, usage)) == expected.text());
}

TEST_CASE("a call is answered with the namespace of its tool, a custom one with its free text") {
  auto wish = plain_wish();
  first_failure failed;
  wish->tools.read(boost::json::parse(R"([{"type":"namespace","name":"a","tools":[{"type":"function","name":"f"}]},
    {"type":"namespace","name":"b","tools":[{"type":"function","name":"f"}]},{"type":"custom","name":"patch"}])")
                       .as_array(),
                   "tools", failed);
  turn_prompt prompt;
  wish->tools.offer(prompt);
  const auto spaced = call_item(fc + "0", "c0", "f", "{}", "completed", R"(,"namespace":"b")");
  const auto custom = [](const std::string& input, const std::string& status) {
    return R"({"id":"ctc_00000000000000ab1","type":"custom_tool_call","call_id":"c1","name":"patch","input":")" + input +
           R"(","status":")" + status + "\"}";
  };
  frames expected;
  expected.begin()
      .item("added", 0, call_item(fc + "0", "c0", "f", "", "in_progress", R"(,"namespace":"b")"))
      .of("function_call_arguments.delta", fc + "0", 0, R"(,"delta":"{}")")
      .of("function_call_arguments.done", fc + "0", 0, R"(,"name":"f","arguments":"{}")")
      .item("done", 0, spaced)
      .item("added", 1, custom("", "in_progress"))
      .of("custom_tool_call_input.delta", ctc + "1", 1, R"(,"delta":"say \"x\"")")
      .of("custom_tool_call_input.done", ctc + "1", 1, R"(,"input":"say \"x\"")")
      .item("done", 1, custom(R"(say \"x\")", "completed"))
      .add("response.completed", ",\"response\":" + response("completed", spaced + "," + custom(R"(say \"x\")", "completed"), usage_json));
  CHECK(streamed(answer_events()
                     .tool(0, "c0", "b__f")
                     .arguments(0, "{}")
                     .tool(1, "c1", "patch")
                     .arguments(1, R"({"input":)")
                     .arguments(1, R"("say \"x\""})")
                     .finished(turn_end::tool_calls, usage),
                 wish) == expected.text());
  CHECK(
      whole(answer_events().tool(0, "c1", "patch").arguments(0, "{\"inp").finished(turn_end::length, usage), wish) ==
      response(
          "incomplete",
          R"({"id":"ctc_00000000000000ab0","type":"custom_tool_call","call_id":"c1","name":"patch","input":"{\"inp","status":"incomplete"})",
          usage_json));
}

TEST_CASE("an answer that was cut says so, in its last item too") {
  const auto said = message_item(msg + "0", "a", "incomplete");
  const auto text = streamed(answer_events().text("a").finished(turn_end::length, usage));
  CHECK(text.ends_with(",\"response\":" + response("incomplete", said, usage_json) + "}\n\n"));
  CHECK(text.find("event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"sequence_number\":8,") != std::string::npos);
  CHECK(streamed(answer_events().finished(turn_end::stop, usage)) ==
        frames().begin().add("response.completed", ",\"response\":" + response("completed", "", usage_json)).text());
}

TEST_CASE("a failure in the stream has the code that clients act on") {
  const auto failing = [](failure error) {
    const auto writer = make_responses_writer(shape_of(true), plain_wish(), {});
    std::string out;
    writer->failed(error, "r-1", out);
    return out;
  };
  const auto failed = [](const std::string& error) {
    return frames().begin().add("response.failed", ",\"response\":" + response("failed", "", "", error)).text();
  };
  CHECK(failing({errc::context_length_exceeded, "prompt is too long", ""}) ==
        failed(R"({"code":"context_length_exceeded","message":"prompt is too long"})"));
  CHECK(failing({errc::queue_full, "too many", ""}) ==
        failed(R"({"code":"rate_limit_exceeded","message":"too many. Please try again in 1s."})"));
  CHECK(failing({errc::worker_lost, "the worker died", ""}) == failed(R"({"code":"server_error","message":"the worker died"})"));
  CHECK(failing({errc::template_failed, "it raised", ""}) == failed(R"({"code":"invalid_prompt","message":"it raised"})"));
}

TEST_CASE("reasoning is sealed when the client asks for it and the node has a key") {
  auto wish = plain_wish();
  const auto events = answer_events().reasoning("hm").finished(turn_end::stop, usage);
  const auto seal = [](std::string_view text) { return "<" + std::string(text) + ">"; };
  const auto item = [](const std::string& sealed) {
    return R"({"id":"rs_00000000000000ab0","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}])" + sealed +
           R"(,"status":"completed"})";
  };
  CHECK(whole(events, wish, seal) == response("completed", item(""), usage_json));
  wish->encrypted_reasoning = true;
  CHECK(whole(events, wish, seal) == response("completed", item(R"(,"encrypted_content":"<hm>")"), usage_json));
  CHECK(whole(events, wish) == response("completed", item(""), usage_json));
}

TEST_CASE("log probabilities stand at each delta and at the part") {
  auto shape = shape_of(false);
  shape.logprobs = true;
  const auto body = write(*make_responses_writer(shape, plain_wish(), {}),
                          answer_events().scored("a", -0.5f, {{"b", -1.0f}}).scored("c", -0.25f, {}).finished(turn_end::stop, usage).all());
  const auto logprobs = boost::json::parse(body).at_pointer("/output/0/content/0/logprobs").as_array();
  REQUIRE(logprobs.size() == 2);
  CHECK(logprobs[0].at("token") == "a");
  CHECK(logprobs[0].at_pointer("/top_logprobs/0/token") == "b");
  CHECK(logprobs[1].at("logprob").as_double() == -0.25);
}

TEST_CASE("the response is known before its end is written, and the same") {
  const auto writer = make_responses_writer(shape_of(true), plain_wish(), {});
  turn_finished event;
  event.usage = usage;
  const auto first = writer->response(event);
  std::string out;
  writer->finished(event, out);
  CHECK(first == response("completed", "", usage_json));
  CHECK(out == frames().begin().add("response.completed", ",\"response\":" + first).text());
}

TEST_CASE("a response that could not be stored says so at its end") {
  for (const bool is_stream : {true, false}) {
    const auto writer = make_responses_writer(shape_of(is_stream), plain_wish(), {});
    std::string out;
    writer->started({{}, 10, 8}, out);
    CHECK((out == (is_stream ? frames().begin().text() : "")));
    turn_finished event;
    event.usage = usage;
    const auto stored = writer->response(event);
    writer->note_unstored();
    out.clear();
    writer->finished(event, out);
    auto unstored = stored;
    unstored.replace(unstored.find("\"store\":true"), 12, "\"store\":false");
    const auto frame = "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":" + unstored + "}\n\n";
    CHECK(out == (is_stream ? frame : unstored));
  }
}

TEST_CASE("a response counts what it has added to the cache") {
  auto shape = shape_of(false);
  shape.block_tokens = 4;
  const auto input = [&](std::uint32_t prompt, std::uint32_t cached) {
    const auto body = write(*make_responses_writer(shape, plain_wish(), {}),
                            answer_events().finished(turn_end::stop, {prompt, cached, 4, 2, 0, 0, 0}).all());
    return json::serialize(json::parse(body).at_pointer("/usage/input_tokens_details"));
  };
  CHECK(input(17, 8) == R"({"cached_tokens":8,"cache_write_tokens":8})");
  CHECK(input(16, 8) == R"({"cached_tokens":8,"cache_write_tokens":4})");
  CHECK(input(12, 8) == R"({"cached_tokens":8,"cache_write_tokens":0})");
}

TEST_CASE("the name of an item says which response it is part of") {
  CHECK(response_of_item("rs_00000000000000ab0") == "resp_00000000000000ab");
  CHECK(response_of_item("msg_00000000000000ab12") == "resp_00000000000000ab");
  CHECK(response_of_item("rs_1").empty());
  CHECK(response_of_item("nothing").empty());
}
