#include "gateway/openai_request.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <cmath>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

expected<client_turn> read_chat(std::string_view text) {
  const auto body = parse_object(text);
  if (!body) return body.error();
  return read_chat_request(*body);
}

expected<client_turn> read_completion(std::string_view text) {
  const auto body = parse_object(text);
  if (!body) return body.error();
  return read_completion_request(*body);
}

/// A chat request whose other members are given.
std::string chat_with(std::string_view members) { return R"({"messages":[{"role":"user","content":"Hi"}],)" + std::string(members) + "}"; }

std::string with_messages(std::string_view messages) { return R"({"messages":[)" + std::string(messages) + "]}"; }

struct refusal {
  std::string body;
  errc code;
  std::string param;
};

chat_block text_block(std::string text) { return {chat_block::kind::text, std::move(text), {}, {}}; }

}  // namespace

TEST_CASE("a conversation becomes typed blocks in order") {
  const auto result = read_chat(R"({"model":"m","messages":[
    {"role":"developer","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"input_text","text":"b"}]},
    {"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[
      {"id":"call_1","type":"function","function":{"name":"ls","arguments":"{\"path\": \"/\"}"}},
      {"id":"call_2","function":{"name":"pwd","arguments":{"a":[1,2]}}}]},
    {"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},
    {"role":"tool","tool_call_id":"call_2","name":"pwd","content":"/"},
    {"role":"assistant","content":null,"reasoning":"because"},
    {"role":"user","content":"","unknown":{}}]})");
  REQUIRE(result);
  const auto& messages = result->turn.prompt.messages;
  using kind = chat_block::kind;
  REQUIRE(messages.size() == 7);
  CHECK(messages[0] == chat_message{chat_role::system, {text_block("Be brief.")}});
  CHECK(messages[1] == chat_message{chat_role::user, {text_block("a"), text_block("b")}});
  CHECK(messages[2] == chat_message{chat_role::assistant,
                                    {{kind::reasoning, "hm", "", ""},
                                     {kind::tool_call, R"({"path": "/"})", "call_1", "ls"},
                                     {kind::tool_call, R"({"a":[1,2]})", "call_2", "pwd"}}});
  CHECK(messages[3] == chat_message{chat_role::tool, {{kind::tool_result, "xy", "call_1", ""}}});
  CHECK(messages[4] == chat_message{chat_role::tool, {{kind::tool_result, "/", "call_2", "pwd"}}});
  CHECK(messages[5] == chat_message{chat_role::assistant, {{kind::reasoning, "because", "", ""}}});
  CHECK(messages[6] == chat_message{chat_role::user, {text_block("")}});
  CHECK(result->wish.model == "m");
  CHECK(result->turn.prompt.what == turn_prompt::kind::chat);
}

TEST_CASE("a content part may end in a cache breakpoint of five minutes or an hour") {
  const auto part = [](std::string_view control) {
    return with_messages(R"({"role":"user","content":[{"type":"text","text":"a","cache_control":)" + std::string(control) + "}]}");
  };
  const auto ttl_of = [&](std::string_view control) { return read_chat(part(control))->turn.prompt.messages[0].blocks[0].cache_ttl_ms; };
  CHECK(ttl_of(R"({"type":"ephemeral"})") == 300'000);
  CHECK(ttl_of(R"({"type":"ephemeral","ttl":"1h"})") == 3'600'000);
  CHECK(ttl_of("null") == 0);
  const auto refused = read_chat(part(R"({"type":"ephemeral","ttl":"2h"})"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_request);
  CHECK(refused.error().param == "messages[0].content[0].cache_control.ttl");
  CHECK(read_chat(part(R"({"type":"forever"})")).error().param == "messages[0].content[0].cache_control.type");
}

TEST_CASE("every sampling field arrives in the turn") {
  const auto result = read_chat(chat_with(R"("temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,"repetition_penalty":1.1,
    "presence_penalty":-1,"frequency_penalty":2,"seed":-3,"max_tokens":7,"max_completion_tokens":9,"min_tokens":2,
    "stop":["a","b"],"stop_token_ids":[5,6],"ignore_eos":true,"skip_special_tokens":false,"cache_salt":"s","logprobs":true,
    "top_logprobs":3,"stream":true,"stream_options":{"include_usage":true},"user":"u","chat_template_kwargs":{"b":1,"a":false},
    "response_format":{"type":"text"},"n":1,"tool_choice":"auto","nobody_knows":1)"));
  REQUIRE(result);
  const auto& turn = result->turn;
  CHECK(turn.sampling.temperature == 0.5F);
  CHECK(turn.sampling.top_p == 0.9F);
  CHECK(turn.sampling.top_k == 40);
  CHECK(turn.sampling.min_p == 0.05F);
  CHECK(turn.sampling.repetition_penalty == 1.1F);
  CHECK(turn.sampling.presence_penalty == -1);
  CHECK(turn.sampling.frequency_penalty == 2);
  CHECK(turn.sampling.has_seed);
  CHECK(turn.sampling.seed == static_cast<std::uint64_t>(-3));
  CHECK(turn.sampling.logprobs == 3);
  CHECK(turn.tokens_max == 9);
  CHECK(turn.tokens_min == 2);
  CHECK(turn.stop == std::vector<std::string>{"a", "b"});
  CHECK(turn.stop_tokens == std::vector<token_id>{5, 6});
  CHECK(turn.ignore_eos);
  CHECK_FALSE(turn.skip_special_tokens);
  CHECK(turn.cache_salt == "s");
  CHECK(turn.prompt.template_arguments == R"({"b":1,"a":false})");
  CHECK(result->wish.stream);
  CHECK(result->wish.include_usage);
  CHECK(result->wish.logprobs);
}

TEST_CASE("what a request does not say stays unset, and null says nothing") {
  const auto result = read_chat(chat_with(R"("temperature":null,"top_k":null,"tools":null,"stop":null,"stream_options":null,"seed":null)"));
  REQUIRE(result);
  CHECK(std::isnan(result->turn.sampling.temperature));
  CHECK(std::isnan(result->turn.sampling.top_p));
  CHECK(result->turn.sampling.top_k == -1);
  CHECK(result->turn.sampling.logprobs == -1);
  CHECK_FALSE(result->turn.sampling.has_seed);
  CHECK(result->turn.tokens_max == 0);
  CHECK(result->turn.stop.empty());
  CHECK_FALSE(result->turn.parse_tools);
  CHECK_FALSE(result->wish.stream);
}

TEST_CASE("a top_k of -1 or 0 keeps all tokens") {
  CHECK(read_chat(chat_with(R"("top_k":-1)"))->turn.sampling.top_k == 0);
  CHECK(read_chat(chat_with(R"("top_k":0)"))->turn.sampling.top_k == 0);
}

TEST_CASE("whole numbers written with a point are taken") { CHECK(read_chat(chat_with(R"("max_tokens":16.0)"))->turn.tokens_max == 16); }

TEST_CASE("tools keep their JSON in the order the client sent, and stay in the prompt when 'none' is to be called") {
  const std::string tool = R"({"type":"function","function":{"name":"ls","parameters":{"type":"object","b":1,"a":2},"description":"d"}})";
  const auto offered = read_chat(chat_with(R"("tools":[)" + tool + "]"));
  REQUIRE(offered);
  CHECK(offered->turn.prompt.tools == std::vector<chat_tool>{{"ls", tool}});
  CHECK(offered->turn.parse_tools);
  const auto none = read_chat(chat_with(R"("tool_choice":"none","tools":[)" + tool + "]"));
  REQUIRE(none);
  CHECK(none->turn.prompt.tools.size() == 1);
  CHECK_FALSE(none->turn.parse_tools);
}

TEST_CASE("each wrong field is refused with its code and its path") {
  const std::vector<refusal> table{
      {"{", errc::invalid_request, ""},
      {"[]", errc::invalid_request, ""},
      {"{}", errc::invalid_request, "messages"},
      {R"({"messages":[]})", errc::invalid_request, "messages"},
      {R"({"messages":{}})", errc::invalid_request, "messages"},
      {with_messages("1"), errc::invalid_request, "messages[0]"},
      {with_messages("{}"), errc::invalid_request, "messages[0].role"},
      {with_messages(R"({"role":7})"), errc::invalid_request, "messages[0].role"},
      {with_messages(R"({"role":"function","content":"x"})"), errc::invalid_request, "messages[0].role"},
      {with_messages(R"({"role":"user"})"), errc::invalid_request, "messages[0].content"},
      {with_messages(R"({"role":"user","content":5})"), errc::invalid_request, "messages[0].content"},
      {with_messages(R"({"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}]})"),
       errc::unsupported_content, "messages[1].content[1].type"},
      {with_messages(R"({"role":"user","content":[{"type":"text","text":1}]})"), errc::invalid_request, "messages[0].content[0].text"},
      {with_messages(R"({"role":"user","content":[{"type":"text"}]})"), errc::invalid_request, "messages[0].content[0].text"},
      {with_messages(R"({"role":"user","content":["a"]})"), errc::invalid_request, "messages[0].content[0]"},
      {with_messages(R"({"role":"tool","content":"x"})"), errc::invalid_request, "messages[0].tool_call_id"},
      {with_messages(R"({"role":"assistant","tool_calls":[{"id":"a"}]})"), errc::invalid_request, "messages[0].tool_calls[0].function"},
      {with_messages(R"({"role":"assistant","tool_calls":[{"type":"custom"}]})"), errc::unsupported_content,
       "messages[0].tool_calls[0].type"},
      {with_messages(R"({"role":"assistant","tool_calls":[{"function":{"name":3}}]})"), errc::invalid_request,
       "messages[0].tool_calls[0].function.name"},
      {chat_with(R"("temperature":"hot")"), errc::invalid_request, "temperature"},
      {chat_with(R"("temperature":2.1)"), errc::invalid_request, "temperature"},
      {chat_with(R"("temperature":-0.1)"), errc::invalid_request, "temperature"},
      {chat_with(R"("top_p":0)"), errc::invalid_request, "top_p"},
      {chat_with(R"("top_p":1.01)"), errc::invalid_request, "top_p"},
      {chat_with(R"("top_k":-2)"), errc::invalid_request, "top_k"},
      {chat_with(R"("top_k":1.5)"), errc::invalid_request, "top_k"},
      {chat_with(R"("min_p":1.5)"), errc::invalid_request, "min_p"},
      {chat_with(R"("repetition_penalty":0)"), errc::invalid_request, "repetition_penalty"},
      {chat_with(R"("presence_penalty":3)"), errc::invalid_request, "presence_penalty"},
      {chat_with(R"("frequency_penalty":-3)"), errc::invalid_request, "frequency_penalty"},
      {chat_with(R"("seed":1.5)"), errc::invalid_request, "seed"},
      {chat_with(R"("seed":18446744073709551615)"), errc::invalid_request, "seed"},
      {chat_with(R"("max_tokens":0)"), errc::invalid_request, "max_tokens"},
      {chat_with(R"("max_tokens":"many")"), errc::invalid_request, "max_tokens"},
      {chat_with(R"("max_completion_tokens":-1)"), errc::invalid_request, "max_completion_tokens"},
      {chat_with(R"("max_tokens":2,"min_tokens":3)"), errc::invalid_request, "min_tokens"},
      {chat_with(R"("stop":"")"), errc::invalid_request, "stop"},
      {chat_with(R"("stop":["a",1])"), errc::invalid_request, "stop[1]"},
      {chat_with(R"("stop":{})"), errc::invalid_request, "stop"},
      {chat_with(R"("stop_token_ids":[-1])"), errc::invalid_request, "stop_token_ids[0]"},
      {chat_with(R"("stream":"yes")"), errc::invalid_request, "stream"},
      {chat_with(R"("stream_options":{"include_usage":1})"), errc::invalid_request, "stream_options.include_usage"},
      {chat_with(R"("top_logprobs":2)"), errc::invalid_request, "top_logprobs"},
      {chat_with(R"("logprobs":true,"top_logprobs":21)"), errc::invalid_request, "top_logprobs"},
      {chat_with(R"("n":2)"), errc::unsupported_parameter, "n"},
      {chat_with(R"("n":0)"), errc::invalid_request, "n"},
      {chat_with(R"("logit_bias":{"5":1})"), errc::unsupported_parameter, "logit_bias"},
      {chat_with(R"("response_format":{"type":"json_object"})"), errc::unsupported_parameter, "response_format.type"},
      {chat_with(R"("response_format":{"type":"json_schema"})"), errc::unsupported_parameter, "response_format.type"},
      {chat_with(R"("tool_choice":"required")"), errc::unsupported_parameter, "tool_choice"},
      {chat_with(R"("tool_choice":{"type":"function"})"), errc::unsupported_parameter, "tool_choice"},
      {chat_with(R"("tool_choice":"maybe")"), errc::invalid_request, "tool_choice"},
      {chat_with(R"("tools":[{"type":"web_search"}])"), errc::unsupported_parameter, "tools[0].type"},
      {chat_with(R"("tools":[{"type":"function"}])"), errc::invalid_request, "tools[0].function"},
      {chat_with(R"("tools":[{"type":"function","function":{}}])"), errc::invalid_request, "tools[0].function.name"},
      {chat_with(R"("chat_template_kwargs":[])"), errc::invalid_request, "chat_template_kwargs"},
      {chat_with(R"("continue_final_message":true)"), errc::invalid_request, "continue_final_message"},
  };
  for (const auto& entry : table) {
    CAPTURE(entry.body);
    const auto result = read_chat(entry.body);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == entry.code);
    CHECK(result.error().param == entry.param);
    CHECK(result.error().message.find(entry.param) != std::string::npos);
  }
}

TEST_CASE("counts and lengths beyond their limits are refused") {
  std::string stops, deep = "1";
  for (std::size_t i = 0; i <= limits::stop_strings_max; ++i) stops += i == 0 ? "\"a\"" : ",\"a\"";
  for (int i = 0; i < limits::json_depth_max; ++i) deep = "[" + deep + "]";
  CHECK(read_chat(chat_with("\"stop\":[" + stops + "]")).error().param == "stop");
  CHECK(read_chat(chat_with("\"stop\":\"" + std::string(limits::stop_string_bytes_max + 1, 'a') + "\"")).error().param == "stop");
  CHECK(read_chat(chat_with("\"metadata\":" + deep)).error().code == errc::invalid_request);
}

TEST_CASE("a completion's prompt is a string, token ids, or an array with one of these") {
  const auto text = read_completion(R"({"prompt":"Once","suffix":"ignored"})");
  REQUIRE(text);
  CHECK(text->turn.prompt.what == turn_prompt::kind::text);
  CHECK(text->turn.prompt.text == "Once");
  CHECK(text->turn.tokens_max == 0);  // what the context leaves
  CHECK(read_completion(R"({"prompt":["Once"]})")->turn.prompt.text == "Once");
  const auto tokens = read_completion(R"({"prompt":[1,2,3],"max_tokens":200,"logprobs":2})");
  REQUIRE(tokens);
  CHECK(tokens->turn.prompt.what == turn_prompt::kind::tokens);
  CHECK(tokens->turn.prompt.tokens == std::vector<token_id>{1, 2, 3});
  CHECK(tokens->turn.tokens_max == 200);
  CHECK(tokens->turn.sampling.logprobs == 2);
  CHECK(tokens->wish.logprobs);
  CHECK(read_completion(R"({"prompt":[[4,5]]})")->turn.prompt.tokens == std::vector<token_id>{4, 5});
}

TEST_CASE("each wrong completion field is refused with its code and its path") {
  const std::vector<refusal> table{
      {"{}", errc::invalid_request, "prompt"},
      {R"({"prompt":7})", errc::invalid_request, "prompt"},
      {R"({"prompt":[]})", errc::invalid_request, "prompt"},
      {R"({"prompt":["a","b"]})", errc::unsupported_parameter, "prompt"},
      {R"({"prompt":[[1],[2]]})", errc::unsupported_parameter, "prompt"},
      {R"({"prompt":[1,-2]})", errc::invalid_request, "prompt[1]"},
      {R"({"prompt":[1,"a"]})", errc::invalid_request, "prompt[1]"},
      {R"({"prompt":[[1,99999999999]]})", errc::invalid_request, "prompt[0][1]"},
      {R"({"prompt":"a","echo":true})", errc::unsupported_parameter, "echo"},
      {R"({"prompt":"a","best_of":2})", errc::unsupported_parameter, "best_of"},
      {R"({"prompt":"a","logprobs":21})", errc::invalid_request, "logprobs"},
  };
  for (const auto& entry : table) {
    CAPTURE(entry.body);
    const auto result = read_completion(entry.body);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == entry.code);
    CHECK(result.error().param == entry.param);
  }
}

TEST_CASE("token ids outside the vocabulary are refused by their index") {
  turn_request turn;
  turn.prompt.tokens = {1, 99, 100};
  CHECK(check_token_ids(turn, 0));
  CHECK(check_token_ids(turn, 101));
  CHECK(check_token_ids(turn, 100).error().param == "prompt[2]");
  turn.prompt.tokens.clear();
  turn.stop_tokens = {200};
  CHECK(check_token_ids(turn, 100).error().param == "stop_token_ids[0]");
}
