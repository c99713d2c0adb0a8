// One generation through the writers of all three protocols: whoever asks reads the same text, reasoning, calls and numbers.
#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <tuple>

#include "gateway/messages_stream.hpp"
#include "gateway/openai_stream.hpp"
#include "gateway/responses_stream.hpp"
#include "test/gateway/written_answer.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::answer_events;
using test::write;
namespace json = boost::json;

namespace {

/// What a client has read.
struct reading {
  std::string text, reasoning;
  std::vector<std::tuple<std::string, std::string, json::value>> calls;  ///< id, name, arguments
  std::int64_t input = 0, cached = 0, output = 0;
  bool is_cut = false;
  bool operator==(const reading&) const = default;
};

answer_shape shape_of(bool stream) {
  answer_shape shape;
  shape.id = "id";
  shape.model = "small";
  shape.turn.value = 0xAB;
  shape.stream = stream;
  shape.include_usage = true;
  return shape;
}

std::vector<json::value> frames_of(const std::string& stream) {
  std::vector<json::value> frames;
  for (std::size_t at = stream.find("data: {"); at != stream.npos; at = stream.find("data: {", at + 1))
    frames.push_back(json::parse(stream.substr(at + 6, stream.find('\n', at) - at - 6)));
  return frames;
}

std::string text_at(const json::value& value, std::string_view key) {
  const auto* text = value.as_object().if_contains(key);
  return text == nullptr || !text->is_string() ? std::string{} : std::string(text->as_string());
}
std::int64_t number_at(const json::value& value, std::string_view pointer) { return value.at_pointer(pointer).as_int64(); }

struct call_text {
  std::string id, name, arguments;
};
void take_calls(const std::vector<call_text>& calls, reading& into) {
  for (const auto& [id, name, arguments] : calls) into.calls.emplace_back(id, name, json::parse(arguments.empty() ? "{}" : arguments));
}

reading read_chat(const answer_events& events) {
  reading result;
  std::vector<call_text> calls;
  for (const auto& frame : frames_of(write(*make_chat_writer(shape_of(true)), events))) {
    if (frame.at("choices").as_array().empty()) {
      result.input = number_at(frame, "/usage/prompt_tokens");
      result.cached = number_at(frame, "/usage/prompt_tokens_details/cached_tokens");
      result.output = number_at(frame, "/usage/completion_tokens");
      continue;
    }
    const auto& choice = frame.at_pointer("/choices/0");
    const auto& delta = choice.at("delta");
    result.text += text_at(delta, "content");
    result.reasoning += text_at(delta, "reasoning_content");
    result.is_cut |= choice.at("finish_reason") == "length";
    if (!delta.as_object().contains("tool_calls")) continue;
    const auto& call = delta.at_pointer("/tool_calls/0");
    if (!text_at(call, "id").empty()) calls.push_back({text_at(call, "id"), text_at(call.at("function"), "name"), {}});
    calls.back().arguments += text_at(call.at("function"), "arguments");
  }
  take_calls(calls, result);
  return result;
}

reading read_messages(const answer_events& events) {
  reading result;
  std::vector<call_text> calls;
  for (const auto& frame : frames_of(write(*make_messages_writer(shape_of(true)), events))) {
    if (frame.at("type") == "content_block_start" && frame.at_pointer("/content_block/type") == "tool_use")
      calls.push_back({text_at(frame.at("content_block"), "id"), text_at(frame.at("content_block"), "name"), {}});
    if (frame.at("type") == "content_block_delta") {
      result.text += text_at(frame.at("delta"), "text");
      result.reasoning += text_at(frame.at("delta"), "thinking");
      if (const auto piece = text_at(frame.at("delta"), "partial_json"); !piece.empty()) calls.back().arguments += piece;
    }
    if (frame.at("type") != "message_delta") continue;
    result.is_cut = frame.at_pointer("/delta/stop_reason") == "max_tokens";
    result.cached = number_at(frame, "/usage/cache_read_input_tokens");
    result.input = number_at(frame, "/usage/input_tokens") + result.cached;
    result.output = number_at(frame, "/usage/output_tokens");
  }
  take_calls(calls, result);
  return result;
}

void take_response(const json::value& response, reading& into) {
  into.is_cut = response.at("status") == "incomplete";
  into.input = number_at(response, "/usage/input_tokens");
  into.cached = number_at(response, "/usage/input_tokens_details/cached_tokens");
  into.output = number_at(response, "/usage/output_tokens");
}

reading read_responses_stream(const answer_events& events) {
  reading result;
  std::vector<call_text> calls;
  const auto writer =
      make_responses_writer(shape_of(true), std::make_shared<responses_wish>(responses_wish{.tools = {}, .echo = "\"x\":0"}), {});
  for (const auto& frame : frames_of(write(*writer, events))) {
    const auto type = text_at(frame, "type");
    if (type == "response.output_text.delta") result.text += text_at(frame, "delta");
    if (type == "response.reasoning_text.delta") result.reasoning += text_at(frame, "delta");
    if (type == "response.function_call_arguments.delta") calls.back().arguments += text_at(frame, "delta");
    if (type == "response.output_item.added" && frame.at_pointer("/item/type") == "function_call")
      calls.push_back({text_at(frame.at("item"), "call_id"), text_at(frame.at("item"), "name"), {}});
    if (type == "response.completed" || type == "response.incomplete") take_response(frame.at("response"), result);
  }
  take_calls(calls, result);
  return result;
}

reading read_response(const answer_events& events) {
  reading result;
  std::vector<call_text> calls;
  const auto writer =
      make_responses_writer(shape_of(false), std::make_shared<responses_wish>(responses_wish{.tools = {}, .echo = "\"x\":0"}), {});
  const auto response = json::parse(write(*writer, events));
  for (const auto& item : response.at("output").as_array()) {
    if (item.at("type") == "message") result.text += text_at(item.at_pointer("/content/0"), "text");
    if (item.at("type") == "reasoning") result.reasoning += text_at(item.at_pointer("/content/0"), "text");
    if (item.at("type") == "function_call") calls.push_back({text_at(item, "call_id"), text_at(item, "name"), text_at(item, "arguments")});
  }
  take_response(response, result);
  take_calls(calls, result);
  return result;
}

}  // namespace

TEST_CASE("one generation reads alike in all three protocols") {
  const turn_usage usage{40, 32, 9, 3, 0, 0, 0};
  const json::value path{{"path", "ü.c"}};
  struct row {
    const char* what;
    answer_events events;
    reading expected;
  };
  const row rows[] = {
      {"text",
       answer_events().started(40, 32).text("Hel").text("lo \"x\"\n").text("é🚀").finished(turn_end::stop, usage),
       {"Hello \"x\"\né🚀", "", {}, 40, 32, 9, false}},
      {"reasoning and text",
       answer_events().started(40, 32).reasoning("h").reasoning("m").text("so").finished(turn_end::stop, usage),
       {"so", "hm", {}, 40, 32, 9, false}},
      {"text and two calls",
       answer_events()
           .started(40, 32)
           .text("I look.")
           .tool(0, "call_a", "read")
           .arguments(0, "{\"path\":")
           .arguments(0, "\"ü.c\"}")
           .tool(1, "call_b", "list")
           .arguments(1, "{}")
           .finished(turn_end::tool_calls, usage),
       {"I look.", "", {{"call_a", "read", path}, {"call_b", "list", json::object{}}}, 40, 32, 9, false}},
      {"reasoning and a call alone",
       answer_events()
           .started(40, 32)
           .reasoning("go")
           .tool(0, "call_a", "read")
           .arguments(0, "{\"path\":\"ü.c\"}")
           .finished(turn_end::tool_calls, usage),
       {"", "go", {{"call_a", "read", path}}, 40, 32, 9, false}},
      {"cut", answer_events().started(40, 32).text("a b").finished(turn_end::length, usage), {"a b", "", {}, 40, 32, 9, true}},
      {"nothing", answer_events().started(40, 32).finished(turn_end::stop, usage), {"", "", {}, 40, 32, 9, false}},
  };
  for (const auto& [what, events, expected] : rows) {
    CAPTURE(what);
    CHECK((read_chat(events) == expected));
    CHECK((read_messages(events) == expected));
    CHECK((read_responses_stream(events) == expected));
    CHECK((read_response(events) == expected));
  }
}
