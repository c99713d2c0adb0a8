#include "gateway/messages_request.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <cmath>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

using kind = chat_block::kind;

expected<client_turn> read(std::string_view text) {
  const auto body = parse_object(text);
  if (!body) return body.error();
  return read_messages_request(*body);
}

/// A request whose other members are given.
std::string with(std::string_view members) {
  return R"({"max_tokens":8,"messages":[{"role":"user","content":"Hi"}],)" + std::string(members) + "}";
}

std::string with_messages(std::string_view messages) { return R"({"max_tokens":8,"messages":[)" + std::string(messages) + "]}"; }

/// What one block in a user message becomes.
std::vector<chat_message> user_says(std::string_view block) {
  const auto result =
      read(with_messages(R"({"role":"user","content":[)" + std::string(block) + "]},{\"role\":\"user\",\"content\":\"!\"}"));
  REQUIRE(result);
  auto messages = result->turn.prompt.messages;
  messages.pop_back();
  return messages;
}

chat_block text_block(std::string text, std::uint32_t ttl_ms = 0) { return {kind::text, std::move(text), {}, {}, ttl_ms}; }

}  // namespace

TEST_CASE("a Messages conversation becomes typed blocks, each tool result a message of its own") {
  const auto result = read(
      R"({"model":"claude-x","max_tokens":7,"stream":true,"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."}],
    "messages":[
    {"role":"user","content":"a"},
    {"role":"system","content":"the agents: none"},
    {"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"xyz"},
      {"type":"text","text":"I look."},
      {"type":"tool_use","id":"toolu_1","name":"ls","input":{"path":"/","b":[1,2]},"caller":{"type":"direct"}},
      {"type":"tool_use","id":"toolu_2","name":"pwd","input":{}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},
      {"type":"tool_result","tool_use_id":"toolu_2","content":"no such file","is_error":true},
      {"type":"tool_result","tool_use_id":"toolu_3"},
      {"type":"text","text":"go on"},{"type":"text","text":"please"}]}]})");
  REQUIRE(result);
  const auto& messages = result->turn.prompt.messages;
  REQUIRE(messages.size() == 8);
  CHECK(messages[0] == chat_message{chat_role::system, {text_block("Be brief."), text_block("Be kind.")}});
  CHECK(messages[1] == chat_message{chat_role::user, {text_block("a")}});
  CHECK(messages[2] == chat_message{chat_role::system, {text_block("the agents: none")}});
  CHECK(messages[3] == chat_message{chat_role::assistant,
                                    {{kind::reasoning, "hm", "", ""},
                                     text_block("I look."),
                                     {kind::tool_call, R"({"path":"/","b":[1,2]})", "toolu_1", "ls"},
                                     {kind::tool_call, "{}", "toolu_2", "pwd"}}});
  CHECK(messages[4] == chat_message{chat_role::tool, {{kind::tool_result, "x\ny", "toolu_1", ""}}});
  CHECK(messages[5] == chat_message{chat_role::tool, {{kind::tool_result, "Error: no such file", "toolu_2", ""}}});
  CHECK(messages[6] == chat_message{chat_role::tool, {{kind::tool_result, "", "toolu_3", ""}}});
  CHECK(messages[7] == chat_message{chat_role::user, {text_block("go on"), text_block("please")}});
  CHECK(result->wish.model == "claude-x");
  CHECK(result->wish.stream);
  CHECK(result->turn.prompt.what == turn_prompt::kind::chat);
  CHECK(result->turn.tokens_max == 7);
  CHECK_FALSE(result->turn.prompt.continue_final_message);
}

TEST_CASE("blocks of unknown kinds are read as their words or left out") {
  CHECK(user_says(R"({"type":"search_result","title":"t","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})") ==
        std::vector<chat_message>{{chat_role::user, {text_block("a\nb")}}});
  CHECK(user_says(R"({"type":"note","text":"n","cache_control":{"type":"ephemeral"}})") ==
        std::vector<chat_message>{{chat_role::user, {text_block("n", 300'000)}}});
  CHECK(user_says(R"({"type":"web_search_tool_result","tool_use_id":"x","content":[{"type":"web_search_result","url":"u"}]})").empty());
  CHECK(user_says(R"({"type":"container_upload","file_id":"f"})").empty());
  CHECK(user_says(R"({"type":"thinking","thinking":"not by a user"})").empty());
  CHECK(
      user_says(
          R"({"type":"tool_result","tool_use_id":"c","content":[{"type":"tool_reference","tool_name":"x"},{"type":"text","text":"y"}]})") ==
      std::vector<chat_message>{{chat_role::tool, {{kind::tool_result, "y", "c", ""}}}});
}

TEST_CASE("an answer that the client has begun is continued") {
  CHECK(read(with_messages(R"({"role":"user","content":"a"},{"role":"assistant","content":"{"})"))->turn.prompt.continue_final_message);
  CHECK_FALSE(
      read(with_messages(R"({"role":"user","content":"a"},{"role":"assistant","content":""})"))->turn.prompt.continue_final_message);
  CHECK_FALSE(read(with_messages(R"({"role":"assistant","content":[{"type":"tool_use","id":"c","name":"ls","input":{}}]})"))
                  ->turn.prompt.continue_final_message);
}

TEST_CASE("tools are given to templates as functions with their schema as it came; servers' own tools are left out") {
  const auto result = read(with(R"("tools":[
    {"name":"ls","description":"d","input_schema":{"type":"object","b":1,"a":2},"strict":true,"defer_loading":false,"cache_control":null},
    {"type":"web_search_20260101","name":"web_search","max_uses":3},
    {"type":"custom","name":"pwd","input_schema":{}}])"));
  REQUIRE(result);
  CHECK(result->turn.prompt.tools ==
        std::vector<chat_tool>{
            {"ls", R"({"type":"function","function":{"name":"ls","description":"d","parameters":{"type":"object","b":1,"a":2}}})"},
            {"pwd", R"({"type":"function","function":{"name":"pwd","parameters":{}}})"}});
  CHECK(result->turn.parse_tools);
  const auto none = read(with(R"("tools":[{"name":"ls","input_schema":{}}],"tool_choice":{"type":"none"})"));
  REQUIRE(none);
  CHECK(none->turn.prompt.tools.size() == 1);
  CHECK_FALSE(none->turn.parse_tools);
  const auto single = read(with(R"("tools":[],"tool_choice":{"type":"auto","disable_parallel_tool_use":true})"));
  REQUIRE(single);
  CHECK_FALSE(single->turn.parse_tools);
}

TEST_CASE("cache breakpoints are kept of blocks, system, tools and the whole request") {
  const auto result = read(R"({"max_tokens":1,"cache_control":{"type":"ephemeral","ttl":"1h"},
    "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
    "tools":[{"name":"ls","input_schema":{},"cache_control":{"type":"ephemeral"}}],
    "messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"ls","input":{},"cache_control":{"type":"ephemeral"}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"r","cache_control":{"type":"ephemeral"}}]}]})");
  REQUIRE(result);
  std::vector<std::uint32_t> ttls_ms;
  for (const auto& message : result->turn.prompt.messages)
    for (const auto& block : message.blocks) ttls_ms.push_back(block.cache_ttl_ms);
  // The tools' lies behind the first thing said; that of the request behind its last.
  CHECK(ttls_ms == std::vector<std::uint32_t>{3'600'000, 300'000, 300'000, 300'000, 3'600'000});
}

TEST_CASE("sampling, stops and engine extras arrive in the turn; what only their servers know is ignored") {
  const auto result =
      read(with(R"("temperature":1,"top_p":0.9,"top_k":40,"stop_sequences":["a","b"],"seed":5,"ignore_eos":true,"cache_salt":"s",
    "metadata":{"user_id":"u"},"service_tier":"auto","context_management":{},"container":null,"mcp_servers":[],"thread":{"id":"t"},
    "output_config":{"effort":"high","format":null},"nobody_knows":1)"));
  REQUIRE(result);
  CHECK(result->turn.sampling.temperature == 1);
  CHECK(result->turn.sampling.top_p == 0.9F);
  CHECK(result->turn.sampling.top_k == 40);
  CHECK(result->turn.sampling.seed == 5);
  CHECK(result->turn.stop == std::vector<std::string>{"a", "b"});
  CHECK(result->turn.ignore_eos);
  CHECK(result->turn.cache_salt == "s");
  CHECK(result->turn.prompt.template_arguments.empty());
  CHECK_FALSE(result->wish.stream);
}

TEST_CASE("thinking is a variable of the template, and the template's own arguments go first") {
  const auto arguments = [](std::string_view members) { return read(with(members))->turn.prompt.template_arguments; };
  CHECK(arguments(R"("thinking":{"type":"enabled","budget_tokens":1024})") == R"({"enable_thinking":true})");
  CHECK(arguments(R"("thinking":{"type":"adaptive","display":"omitted"})") == R"({"enable_thinking":true})");
  CHECK(arguments(R"("thinking":{"type":"disabled"})") == R"({"enable_thinking":false})");
  CHECK(arguments(R"("thinking":{"type":"enabled"},"chat_template_kwargs":{"enable_thinking":false,"a":1})") ==
        R"({"enable_thinking":false,"a":1})");
}

TEST_CASE("what is wrong in a Messages request is refused with its code and its path") {
  struct refusal_case {
    std::string body;
    errc code;
    std::string param;
  };
  const auto image = [](std::string_view type) { return R"({"type":")" + std::string(type) + R"(","source":{"type":"url","url":"u"}})"; };
  const std::vector<refusal_case> cases{
      {R"({"messages":[{"role":"user","content":"Hi"}]})", errc::invalid_request, "max_tokens"},
      {R"({"max_tokens":0,"messages":[{"role":"user","content":"Hi"}]})", errc::invalid_request, "max_tokens"},
      {R"({"max_tokens":1})", errc::invalid_request, "messages"},
      {R"({"max_tokens":1,"messages":[]})", errc::invalid_request, "messages"},
      {with_messages(R"({"role":"user","content":[]})"), errc::invalid_request, "messages"},
      {with_messages(R"({"role":"tool","content":"a"})"), errc::invalid_request, "messages[0].role"},
      {with_messages(R"({"content":"a"})"), errc::invalid_request, "messages[0].role"},
      {with_messages(R"({"role":"user"})"), errc::invalid_request, "messages[0].content"},
      {with_messages(R"({"role":"user","content":5})"), errc::invalid_request, "messages[0].content"},
      {with_messages(R"({"role":"user","content":["a"]})"), errc::invalid_request, "messages[0].content[0]"},
      {with_messages(R"({"role":"user","content":[{"type":"text"}]})"), errc::invalid_request, "messages[0].content[0].text"},
      {with_messages(R"({"role":"user","content":[{"type":"tool_result","content":"a"}]})"), errc::invalid_request,
       "messages[0].content[0].tool_use_id"},
      {with_messages(R"({"role":"user","content":[{"type":"text","text":"a"},)" + image("image") + "]}"), errc::unsupported_content,
       "messages[0].content[1].type"},
      {with_messages(R"({"role":"user","content":[)" + image("document") + "]}"), errc::unsupported_content, "messages[0].content[0].type"},
      {with_messages(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},)" +
                     image("image") + "]}]}"),
       errc::unsupported_content, "messages[0].content[0].content[1].type"},
      {with(R"("system":5)"), errc::invalid_request, "system"},
      {with(R"("tools":[{"input_schema":{}}])"), errc::invalid_request, "tools[0].name"},
      {with(R"("tools":[{"name":"ls"}])"), errc::invalid_request, "tools[0].input_schema"},
      {with(R"("tool_choice":{"type":"any"})"), errc::unsupported_parameter, "tool_choice.type"},
      {with(R"("tool_choice":{"type":"tool","name":"ls"})"), errc::unsupported_parameter, "tool_choice.type"},
      {with(R"("tool_choice":"auto")"), errc::invalid_request, "tool_choice"},
      {with(R"("output_config":{"format":{"type":"json_schema","schema":{}}})"), errc::unsupported_parameter, "output_config.format"},
      {with(R"("stop_sequences":[""])"), errc::invalid_request, "stop_sequences[0]"},
      {with(R"("cache_control":{"type":"ephemeral","ttl":"2h"})"), errc::invalid_request, "cache_control.ttl"},
      {with(R"("temperature":"hot")"), errc::invalid_request, "temperature"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.body);
    const auto result = read(each.body);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == each.code);
    CHECK(result.error().param == each.param);
  }
}

TEST_CASE("a count needs no length of the answer") {
  const auto body = parse_object(R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"ls","input_schema":{}}]})");
  const auto result = read_count_request(*body);
  REQUIRE(result);
  CHECK(result->wish.model == "m");
  CHECK(result->turn.prompt.messages == std::vector<chat_message>{{chat_role::user, {text_block("Hi")}}});
  CHECK(result->turn.prompt.tools.size() == 1);
}

TEST_CASE("thinking that was signed here comes back as it was, and any other as its client has it") {
  const reasoning_opener open = [](std::string_view sealed) -> std::optional<std::string> {
    if (sealed != "good") return std::nullopt;
    return "raw";
  };
  const auto thinking = [&](const std::string& members) {
    const auto body = parse_object(with_messages(R"({"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking",)" +
                                                 members + R"(},{"type":"text","text":"a"}]},{"role":"user","content":"on"})"));
    REQUIRE(body);
    const auto result = read_messages_request(*body, open);
    REQUIRE(result);
    std::string text;
    for (const auto& block : result->turn.prompt.messages[1].blocks)
      if (block.what == kind::reasoning) text += block.text;
    const auto counted = read_count_request(*body, open);
    REQUIRE(counted);
    CHECK(counted->turn.prompt == result->turn.prompt);
    return text;
  };
  CHECK(thinking(R"("thinking":"raw","signature":"good")") == "raw");
  CHECK(thinking(R"("thinking":"changed","signature":"good")") == "raw");
  CHECK(thinking(R"("thinking":"","signature":"good")") == "raw");
  CHECK(thinking(R"("thinking":"shown","signature":"altered")") == "shown");
  CHECK(thinking(R"("thinking":"shown","signature":7)") == "shown");
  CHECK(thinking(R"("thinking":"shown")") == "shown");
  CHECK(thinking(R"("thinking":"","signature":"altered")").empty());
}
