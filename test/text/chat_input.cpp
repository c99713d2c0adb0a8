// Conversations to template input: exact JSON texts, because the bytes decide what a cache can share.
#include "engine/text/chat_input.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/text/chat_input_json.hpp"
#include "engine/text/volatile_text.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace troupe::text;

namespace {

using block = chat_block;

block says(std::string text) { return {block::kind::text, std::move(text), "", ""}; }
block thinks(std::string text) { return {block::kind::reasoning, std::move(text), "", ""}; }
block calls(std::string id, std::string name, std::string arguments) {
  return {block::kind::tool_call, std::move(arguments), std::move(id), std::move(name)};
}
block result(std::string id, std::string text, std::string name = "") {
  return {block::kind::tool_result, std::move(text), std::move(id), std::move(name)};
}
chat_message of_system(std::string text) { return {chat_role::system, {says(std::move(text))}}; }
chat_message of_user(std::string text) { return {chat_role::user, {says(std::move(text))}}; }
chat_message of_assistant(std::vector<block> blocks) { return {chat_role::assistant, std::move(blocks)}; }

std::string written(const chat_input& input) {
  auto text = to_template_input(input);
  REQUIRE_MESSAGE(text, (text ? "" : text.error().message));
  return *text;
}

/// Only the messages.
std::string messages_of(const std::vector<chat_message>& messages, bool merge = false) {
  const auto text = written({.messages = messages, .merge_same_role = merge, .volatile_text = usual_volatile_patterns()});
  const std::string head = "{\"add_generation_prompt\": true, \"messages\": ";
  REQUIRE(text.starts_with(head));
  return text.substr(head.size(), text.size() - head.size() - 1);
}

failure failure_of(const chat_input& input) {
  auto text = to_template_input(input);
  REQUIRE_FALSE(text);
  return text.error();
}

}  // namespace

TEST_CASE("leading system messages become one") {
  CHECK(messages_of({of_system("a"), {chat_role::system, {says("b"), says("c")}}, of_system(""), of_user("u")}) ==
        R"([{"role": "system", "content": "a\n\nb\nc"}, {"role": "user", "content": "u"}])");
  CHECK(messages_of({of_user("ü\"\n")}) == R"([{"role": "user", "content": "ü\"\n"}])");
  CHECK(messages_of({}) == "[]");
}

TEST_CASE("a later system message joins the user message after it") {
  CHECK(messages_of({of_user("u"), of_assistant({says("a")}), of_system("s"), of_system("t"), of_user("v")}) ==
        R"([{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "s\n\nt\n\nv"}])");
}

TEST_CASE("a later system message without one stays where it is, as a user message") {
  const std::vector<chat_message> turn = {of_user("u"), of_assistant({says("a")}), of_system("s")};
  const std::string expected =
      R"([{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "s"})";
  CHECK(messages_of(turn) == expected + "]");
  // Also when the conversation has gone on: what was rendered before is a prefix.
  auto later = turn;
  later.push_back(of_assistant({says("b")}));
  later.push_back(of_user("v"));
  CHECK(messages_of(later).starts_with(expected + ", "));
}

TEST_CASE("nothing comes between a call and its result") {
  CHECK(
      messages_of(
          {of_assistant({calls("1", "f", "")}), of_system("s"), {chat_role::tool, {result("1", "r")}}, of_assistant({says("a")})}) ==
      R"([{"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}]}, )"
      R"({"role": "tool", "content": "r", "tool_call_id": "1", "name": "f"}, {"role": "user", "content": "s"}, {"role": "assistant", "content": "a"}])");
}

TEST_CASE("arguments keep their keys' order and their numbers") {
  const auto of = [](const std::string& arguments) {
    const auto text = messages_of({of_assistant({calls("i", "f", arguments)})});
    const auto begin = text.find("\"arguments\"");
    return text.substr(begin, text.rfind("}}]}]") - begin);
  };
  CHECK(of(R"( {"z": 1.50, "a": {"y": [1e3, "ü\u00fc"]}, "n": 123456789012345678901} )") ==
        R"("arguments": {"z": 1.50, "a": {"y": [1e3, "ü\u00fc"]}, "n": 123456789012345678901})");
  CHECK(of("{ }") == "\"arguments\": {}");
  CHECK(of(" \n") == "\"arguments\": {}");
  CHECK(of("{\"a\": ") == R"("arguments": {}, "raw_arguments": "{\"a\": ")");
  CHECK(of("[1]") == R"("arguments": {}, "raw_arguments": "[1]")");
  CHECK(of("{} {}") == R"("arguments": {}, "raw_arguments": "{} {}")");
  CHECK(of("\xFF") == "\"arguments\": {}, \"raw_arguments\": \"\uFFFD\"");
}

TEST_CASE("JSON that Python could not read is no object") {
  CHECK(inspect_object("{\"a\": " + std::string(63, '[') + std::string(63, ']') + "}").valid);
  CHECK_FALSE(inspect_object("{\"a\": " + std::string(64, '[') + std::string(64, ']') + "}").valid);
  CHECK_FALSE(inspect_object("{\"a\": " + std::string(5'000, '9') + "}").valid);
  CHECK_FALSE(inspect_object("{\"a\": \"\\ud800\"}").valid);
  CHECK_FALSE(inspect_object("null").valid);
  CHECK(inspect_object("{\"a\": {\"b\": 1}, \"c\": 2}").keys == std::vector<std::string>{"a", "c"});
}

TEST_CASE("the assistant's reasoning, texts and calls are told apart") {
  CHECK(messages_of({of_assistant({thinks("r"), says("a"), thinks("s"), says("b"), calls("", "g", "{\"k\":1}")})}) ==
        R"([{"role": "assistant", "content": "ab", "reasoning_content": "r\ns", )"
        R"("tool_calls": [{"type": "function", "function": {"name": "g", "arguments": {"k":1}}}]}])");
  CHECK(messages_of({{chat_role::assistant, {}}}) == R"([{"role": "assistant", "content": ""}])");
}

TEST_CASE("results inside a user message become messages of their own, in order") {
  CHECK(messages_of({{chat_role::user, {says("p"), result("1", "r", "f"), result("2", "s"), says("q"), says("t")}}}) ==
        R"([{"role": "user", "content": "p"}, {"role": "tool", "content": "r", "tool_call_id": "1", "name": "f"}, )"
        R"({"role": "tool", "content": "s", "tool_call_id": "2"}, {"role": "user", "content": "q\nt"}])");
  CHECK(messages_of({{chat_role::tool, {says("plain")}}}) == R"([{"role": "tool", "content": "plain"}])");
}

TEST_CASE("a changing billing line does not reach the prompt") {
  CHECK(messages_of({{chat_role::system, {says("x-anthropic-billing-header: cc=1;"), says("You are")}}, of_user("u")}) ==
        R"([{"role": "system", "content": "You are"}, {"role": "user", "content": "u"}])");
  CHECK(messages_of({of_system("x-anthropic-billing-header: cc=2;\nYou are")}) == R"([{"role": "system", "content": "You are"}])");
  CHECK(messages_of({of_user("x-anthropic-billing-header: what is it?")}) ==
        R"([{"role": "user", "content": "x-anthropic-billing-header: what is it?"}])");
}

TEST_CASE("messages of one role are joined only where the model asks for it") {
  const std::vector<chat_message> messages = {of_user("a"),
                                              of_user("b"),
                                              of_assistant({says("c"), calls("1", "f", "{}")}),
                                              of_assistant({calls("2", "g", "{}")}),
                                              {chat_role::tool, {result("1", "r")}},
                                              {chat_role::tool, {result("2", "s")}}};
  CHECK(messages_of({messages[0], messages[1]}) == R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])");
  CHECK(
      messages_of(messages, true) ==
      R"([{"role": "user", "content": "a\n\nb"}, {"role": "assistant", "content": "c", "tool_calls": [)"
      R"({"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}, {"id": "2", "type": "function", "function": {"name": "g", "arguments": {}}}]}, )"
      R"({"role": "tool", "content": "r", "tool_call_id": "1", "name": "f"}, {"role": "tool", "content": "s", "tool_call_id": "2", "name": "g"}])");
}

TEST_CASE("tools, variables and a request's own arguments stand beside the messages") {
  const std::vector<chat_tool> tools = {{"f", " {\"type\": \"function\", \"function\": {\"z\": 1.0, \"a\": 2}}\n"}, {"g", "{}"}};
  const std::vector<std::pair<std::string, std::string>> variables = {{"bos_token", "<s>"}, {"eos_token", "\""}};
  CHECK(
      written({.tools = tools, .template_arguments = "{\"enable_thinking\": false, \"bos_token\": 1}", .variables = variables}) ==
      R"({"bos_token": "<s>", "eos_token": "\"", "add_generation_prompt": true, "enable_thinking": false, "bos_token": 1, "messages": [], )"
      R"("tools": [{"type": "function", "function": {"z": 1.0, "a": 2}}, {}]})");
  CHECK(written({.template_arguments = "{}"}) == R"({"add_generation_prompt": true, "messages": []})");
}

TEST_CASE("an open final message takes the place of the generation prompt") {
  const std::vector<chat_message> messages = {of_user("u"), of_assistant({says("The answer is ")})};
  CHECK(
      written({.messages = messages, .continue_final_message = true}) ==
      R"({"add_generation_prompt": false, "messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "The answer is "}], )"
      R"("continue_final_message": true})");
  CHECK(failure_of({.messages = std::span(messages).first(1), .continue_final_message = true}).param == "continue_final_message");
}

TEST_CASE("what cannot be rendered is refused by name") {
  const std::vector<chat_message> odd = {of_user("u"), {chat_role::user, {calls("1", "f", "{}")}}};
  CHECK(failure_of({.messages = odd}) == failure{errc::invalid_request, "only the assistant calls tools", "messages[1]"});
  const std::vector<chat_message> musing = {{chat_role::system, {thinks("r")}}};
  CHECK(failure_of({.messages = musing}) == failure{errc::invalid_request, "only the assistant reasons", "messages[0]"});
  const std::vector<chat_tool> tools = {{"f", "{}"}, {"g", "[]"}};
  CHECK(failure_of({.tools = tools}) == failure{errc::invalid_request, "a tool is not a JSON object", "tools[1]"});
  CHECK(failure_of({.template_arguments = "[]"}).param == "chat_template_kwargs");
  CHECK(failure_of({.template_arguments = "{\"a\": 1, \"messages\": []}"}).message == "chat_template_kwargs may not set messages");
  CHECK(failure_of({.template_arguments = "{\"\\u0074ools\": []}"}).message == "chat_template_kwargs may not set tools");
}

TEST_CASE("text is quoted as the JSON library does, whatever it holds") {
  std::string all;
  for (int byte = 0; byte < 0x80; ++byte) all += static_cast<char>(byte);
  for (const std::string& each : {std::string(), all, all + "\xC3\xA9", std::string("a\"b\\c\n"), std::string("broken \xFF")})
    CHECK(text::quote(each) == nlohmann::json(each).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}
