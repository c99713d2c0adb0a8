#include "gateway/responses_request.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::gateway;
namespace json = boost::json;

namespace {

using kind = chat_block::kind;

expected<responses_turn> read(std::string_view text, const responses_sources& sources = {}) {
  const auto body = parse_object(text);
  if (!body) return body.error();
  return read_responses_request(*body, sources);
}

std::vector<chat_message> messages_of(std::string_view items, const responses_sources& sources = {}) {
  const auto result = read(R"({"input":[)" + std::string(items) + "]}", sources);
  REQUIRE(result);
  return result->client.turn.prompt.messages;
}

/// A request whose other members are given.
expected<responses_turn> with(std::string_view members) { return read(R"({"input":"Hi",)" + std::string(members) + "}"); }

failure refusal_of(std::string_view members) {
  const auto result = with(members);
  REQUIRE_FALSE(result);
  return result.error();
}

chat_block text_block(std::string text) { return {kind::text, std::move(text), {}, {}}; }
chat_message says(chat_role role, std::string text) { return {role, {text_block(std::move(text))}}; }

}  // namespace

TEST_CASE("a Responses request in its shortest form is a user's message") {
  const auto result =
      read(R"({"model":"gpt-x","input":"Hi","instructions":"Be brief.","stream":true,"store":false,"max_output_tokens":9,"top_p":0.5})");
  REQUIRE(result);
  const auto& turn = result->client.turn;
  CHECK(turn.prompt.what == turn_prompt::kind::chat);
  CHECK(turn.prompt.messages == std::vector{says(chat_role::system, "Be brief."), says(chat_role::user, "Hi")});
  CHECK(turn.tokens_max == 9);
  CHECK(turn.sampling.top_p == 0.5f);
  CHECK_FALSE(turn.parse_tools);
  CHECK(turn.prompt.template_arguments.empty());
  CHECK(result->client.wish.model == "gpt-x");
  CHECK(result->client.wish.stream);
  CHECK_FALSE(result->wish.store);
  CHECK_FALSE(result->wish.encrypted_reasoning);
  CHECK(json::serialize(result->wish.input) == R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}])");
}

TEST_CASE("the items of one answer are one message, each result a message of its own") {
  CHECK(messages_of(R"(
    {"role":"developer","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
    {"type":"message","role":"user","content":"list"},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"thought"}],"content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":null},
    {"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[]}]},
    {"type":"function_call","id":"fc_1","call_id":"call_1","name":"ls","arguments":"{\"path\":\"/\"}"},
    {"type":"function_call","call_id":"call_2","name":"pwd","arguments":{"deep":[1]}},
    {"type":"function_call","call_id":"call_3","name":"odd","arguments":"not json"},
    {"type":"function_call_output","call_id":"call_1","output":"x"},
    {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"y"},{"type":"input_text","text":"z"}]},
    {"type":"message","role":"assistant","content":"done"},
    {"type":"message","role":"assistant","content":"really"},
    {"type":"message","role":"system","content":"late"})") ==
        std::vector<chat_message>{{chat_role::system, {text_block("a"), text_block("b")}},
                                  says(chat_role::user, "list"),
                                  {chat_role::assistant,
                                   {{kind::reasoning, "hm", "", ""},
                                    text_block("I look."),
                                    {kind::tool_call, R"({"path":"/"})", "call_1", "ls"},
                                    {kind::tool_call, R"({"deep":[1]})", "call_2", "pwd"},
                                    {kind::tool_call, "not json", "call_3", "odd"}}},
                                  {chat_role::tool, {{kind::tool_result, "x", "call_1", ""}}},
                                  {chat_role::tool, {{kind::tool_result, "yz", "call_2", ""}}},
                                  says(chat_role::assistant, "done"),
                                  says(chat_role::assistant, "really"),
                                  says(chat_role::system, "late")});
}

TEST_CASE("items that are unknown never fail a request: their text is kept, the rest is left out") {
  CHECK(messages_of(R"({"role":"user","content":"Hi"},
    {"type":"item_reference","id":"rs_00000000000000ab0"},
    {"type":"reasoning","summary":[],"encrypted_content":"of another server"},
    {"type":"reasoning","summary":[{"type":"summary_text","text":"a summary is nobody's words"}]},
    {"type":"compaction","encrypted_content":"opaque"},
    {"type":"compaction_summary","summary":[{"type":"summary_text","text":"what was before"}]},
    {"type":"configuration_update","model":{"name":"x"}},
    {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
    {"type":"something","content":[{"type":"input_image"},7]},
    {"type":"local_shell_call_output","output":"total 0"})") ==
        std::vector{says(chat_role::user, "Hi"), says(chat_role::user, "what was before"), says(chat_role::user, "total 0")});
}

TEST_CASE("sealed reasoning is opened, and a broken seal falls back to the content beside it") {
  responses_sources sources;
  sources.open_reasoning = [](std::string_view sealed) { return sealed == "good" ? std::optional<std::string>("raw") : std::nullopt; };
  const auto reasoning = [&](std::string_view members) {
    return messages_of(R"({"role":"user","content":"Hi"},{"type":"reasoning","summary":[],)" + std::string(members) + "}", sources);
  };
  const auto hi = says(chat_role::user, "Hi");
  const auto thinks = [](std::string text) { return chat_message{chat_role::assistant, {{kind::reasoning, std::move(text), {}, {}}}}; };
  const std::string content = R"("content":[{"type":"reasoning_text","text":"shown"}],)";
  CHECK(reasoning(content + R"("encrypted_content":"good")") == std::vector{hi, thinks("raw")});
  CHECK(reasoning(content + R"("encrypted_content":"bad")") == std::vector{hi, thinks("shown")});
  CHECK(reasoning(R"("encrypted_content":"bad")") == std::vector{hi});
}

TEST_CASE("a summary is the model's words where the item is one of ours, behind a seal and content") {
  responses_sources sources;
  sources.open_reasoning = [](std::string_view sealed) { return sealed == "good" ? std::optional<std::string>("raw") : std::nullopt; };
  const auto reasoning = [&](std::string_view members) {
    return messages_of(R"({"type":"reasoning","summary":[{"type":"summary_text","text":"told"}],)" + std::string(members) +
                           R"(},{"role":"user","content":"Hi"})",
                       sources);
  };
  const auto hi = says(chat_role::user, "Hi");
  const auto thinks = [](std::string text) { return chat_message{chat_role::assistant, {{kind::reasoning, std::move(text), {}, {}}}}; };
  const std::string ours = R"("id":"rs_00000000000000ab0")";
  CHECK(reasoning(ours) == std::vector{thinks("told"), hi});
  CHECK(reasoning(ours + R"(,"encrypted_content":"good")") == std::vector{thinks("raw"), hi});
  CHECK(reasoning(ours + R"(,"encrypted_content":null,"content":[])") == std::vector{thinks("told"), hi});
  CHECK(reasoning(R"("id":"rs_68a1f0c2d4b08197a3c1e5f7092b4d6e")") == std::vector{hi});
}

TEST_CASE("reasoning is told as a summary to whoever asks for one") {
  for (const std::string summary : {"auto", "concise", "detailed"}) {
    const auto read = with(R"("reasoning":{"summary":")" + summary + "\"}");
    REQUIRE(read);
    CHECK(read->wish.summarised);
  }
  for (const std::string reasoning : {R"({"summary":"none"})", R"({"summary":null})", "{}", "null"}) {
    const auto read = with(R"("reasoning":)" + reasoning);
    REQUIRE(read);
    CHECK_FALSE(read->wish.summarised);
  }
}

TEST_CASE("history goes before the input, and a reference is replaced by what it refers to") {
  responses_sources sources;
  sources.history = json::parse(R"([{"type":"message","role":"user","content":"a"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]}])")
                        .as_array();
  sources.find_item = [](std::string_view id) -> std::optional<json::value> {
    if (id != "msg_1") return std::nullopt;
    return json::parse(R"({"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"kept"}]})");
  };
  const auto result = read(R"({"instructions":"I","input":[{"role":"user","content":"c"},{"type":"item_reference","id":"msg_1"},
    {"type":"item_reference","id":"msg_2"},{"role":"user","content":"d"}]})",
                           sources);
  REQUIRE(result);
  CHECK(result->client.turn.prompt.messages == std::vector{says(chat_role::system, "I"), says(chat_role::user, "a"),
                                                           says(chat_role::assistant, "b"), says(chat_role::user, "c"),
                                                           says(chat_role::assistant, "kept"), says(chat_role::user, "d")});
  CHECK(result->wish.input.size() == 4);
  CHECK(result->wish.input[1].at("role") == "assistant");
  CHECK(read(R"({"previous_response_id":"resp_1"})", sources));
}

TEST_CASE("functions, namespaces and custom tools are offered as functions and known again by their offered names") {
  const auto result = with(R"("tools":[
    {"type":"function","name":"ls","description":"lists","strict":false,"parameters":{"type":"object","properties":{"path":{"type":"string"}}}},
    {"type":"web_search"},
    {"type":"namespace","name":"files","tools":[{"type":"function","name":"open","parameters":null},{"type":"function","name":"stat"}]},
    {"type":"namespace","name":"net","tools":[{"type":"function","name":"open"},{"type":"custom","name":"raw"}]},
    {"type":"custom","name":"patch","description":"edits","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}}])");
  REQUIRE(result);
  const auto& prompt = result->client.turn.prompt;
  CHECK(result->client.turn.parse_tools);
  REQUIRE(prompt.tools.size() == 6);
  CHECK(
      prompt.tools[0].json ==
      R"({"type":"function","function":{"name":"ls","description":"lists","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}})");
  CHECK(prompt.tools[1].json == R"({"type":"function","function":{"name":"files__open","parameters":{"type":"object","properties":{}}}})");
  CHECK(prompt.tools[2].name == "stat");
  CHECK(prompt.tools[3].name == "net__open");
  CHECK(prompt.tools[4].name == "raw");
  CHECK(prompt.tools[5].json ==
        R"({"type":"function","function":{"name":"patch","description":"edits\n\nThe input follows this grammar (lark):\nstart: /x/",)"
        R"("parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}})");
  const auto& tools = result->wish.tools;
  REQUIRE(tools.find("net__open") != nullptr);
  CHECK(*tools.find("net__open") == offered_tool{"net__open", "open", "net", false});
  CHECK(*tools.find("patch") == offered_tool{"patch", "patch", "", true});
  CHECK(tools.find("open") == nullptr);
  CHECK(tools.offered_name("open", "files") == "files__open");
  CHECK(tools.offered_name("gone", "files") == "gone");
}

TEST_CASE("calls in a history have the names that are offered, and a custom call its text as an argument") {
  const auto result = read(R"({"tools":[{"type":"namespace","name":"a","tools":[{"type":"function","name":"f"}]},
    {"type":"namespace","name":"b","tools":[{"type":"function","name":"f"}]},{"type":"custom","name":"patch"}],
    "input":[{"role":"user","content":"Hi"},
    {"type":"function_call","call_id":"c1","name":"f","namespace":"b","arguments":"{}"},
    {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"say \"x\""},
    {"type":"custom_tool_call_output","call_id":"c2","output":"ok"},
    {"type":"additional_tools","tools":[{"type":"function","name":"late"}]}]})");
  REQUIRE(result);
  const auto& messages = result->client.turn.prompt.messages;
  REQUIRE(messages.size() == 3);
  CHECK(messages[1] == chat_message{chat_role::assistant,
                                    {{kind::tool_call, "{}", "c1", "b__f"}, {kind::tool_call, R"({"input":"say \"x\""})", "c2", "patch"}}});
  CHECK(messages[2] == chat_message{chat_role::tool, {{kind::tool_result, "ok", "c2", ""}}});
  CHECK(result->client.turn.prompt.tools.back().name == "late");
}

TEST_CASE("tools that items have brought before are offered behind the request's own, which say what they are") {
  responses_sources sources;
  sources.history = json::parse(R"([{"type":"message","role":"user","content":"a"},
    {"type":"additional_tools","tools":[{"type":"function","name":"ls","description":"old"},{"type":"function","name":"late"}]},
    {"type":"additional_tools","tools":[{"type":"namespace","name":"net","tools":[{"type":"function","name":"get"}]}]}])")
                        .as_array();
  const auto result = read(R"({"tools":[{"type":"function","name":"ls","description":"new"}],"input":[{"role":"user","content":"b"},
    {"type":"additional_tools","tools":[{"type":"function","name":"late","description":"now"},{"type":"function","name":"last"}]}]})",
                           sources);
  REQUIRE(result);
  const auto& tools = result->client.turn.prompt.tools;
  REQUIRE(tools.size() == 4);
  CHECK(tools[0].json == R"({"type":"function","function":{"name":"ls","description":"new","parameters":{"type":"object","properties":{}}}})");
  CHECK(tools[1].json ==
        R"({"type":"function","function":{"name":"late","description":"now","parameters":{"type":"object","properties":{}}}})");
  CHECK(tools[2].name == "get");
  CHECK(tools[3].name == "last");
  CHECK(result->client.turn.parse_tools);
}

TEST_CASE("metadata is some pairs of short strings, counted in characters") {
  const auto refused = [](const std::string& metadata) {
    const auto error = refusal_of("\"metadata\":" + metadata);
    return error.param + ": " + error.message;
  };
  const auto pairs = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "{\"" : ",\"") + std::to_string(i) + R"(":"v")";
    return text + "}";
  };
  const auto letters = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "\xC3\xBC";
    return text;
  };
  CHECK(with("\"metadata\":" + pairs(limits::metadata_pairs_max)));
  CHECK(refused(pairs(17)) == "metadata: 'metadata' must have at most 16 pairs");
  CHECK(with("\"metadata\":{\"" + letters(64) + "\":\"" + letters(512) + "\"}"));
  CHECK(refused("{\"" + letters(65) + "\":\"v\"}") == "metadata: 'metadata' must have keys of at most 64 characters");
  CHECK(refused("{\"k\":\"" + letters(513) + "\"}") == "metadata.k: 'metadata.k' must have at most 512 characters");
  CHECK(with(R"("metadata":null)"));
}

TEST_CASE("without calls the tools stay in the prompt") {
  const auto result = with(R"("tool_choice":"none","tools":[{"type":"function","name":"ls"}])");
  REQUIRE(result);
  CHECK_FALSE(result->client.turn.parse_tools);
  CHECK(result->client.turn.prompt.tools.size() == 1);
}

TEST_CASE("what cannot be kept is refused with its name") {
  const auto refused = [](std::string_view members) {
    const auto error = refusal_of(members);
    return std::string(describe(error.code).name) + " " + error.param;
  };
  CHECK(refused(R"("tool_choice":"required")") == "unsupported_parameter tool_choice");
  CHECK(refused(R"("tool_choice":{"type":"function","name":"ls"})") == "unsupported_parameter tool_choice");
  CHECK(refused(R"("tool_choice":"sometimes")") == "invalid_request tool_choice");
  CHECK(refused(R"("text":{"format":{"type":"json_schema","name":"x","schema":{}}})") == "unsupported_parameter text.format.type");
  CHECK(refused(R"("text":{"format":{"type":"json_object"}})") == "unsupported_parameter text.format.type");
  CHECK(refused(R"("background":true)") == "unsupported_parameter background");
  CHECK(refused(R"("conversation":"conv_1")") == "unsupported_parameter conversation");
  CHECK(refused(R"("prompt":{"id":"pmpt_1"})") == "unsupported_parameter prompt");
  CHECK(refused(R"("max_output_tokens":0)") == "invalid_request max_output_tokens");
  CHECK(refused(R"("tools":[{"type":"function"}])") == "invalid_request tools[0].name");
  CHECK(refused(R"("top_logprobs":21)") == "invalid_request top_logprobs");
  CHECK(refused(R"("metadata":[])") == "invalid_request metadata");
  CHECK(refused(R"("metadata":{"k":"v","n":7})") == "invalid_request metadata.n");
  const auto bad = [](std::string_view items) {
    const auto result = read(R"({"input":[)" + std::string(items) + "]}");
    REQUIRE_FALSE(result);
    return std::string(describe(result.error().code).name) + " " + result.error().param;
  };
  CHECK(
      bad(R"({"role":"user","content":"a"},{"role":"user","content":[{"type":"input_text","text":"b"},{"type":"input_image","image_url":"x"}]})") ==
      "unsupported_content input[1].content[1].type");
  CHECK(bad(R"({"type":"function_call_output","call_id":"c","output":[{"type":"input_file"}]})") ==
        "unsupported_content input[0].output[0].type");
  CHECK(bad(R"({"role":"robot","content":"a"})") == "invalid_request input[0].role");
  CHECK(bad(R"({"role":"user"})") == "invalid_request input[0].content");
  CHECK(bad(R"({"type":"function_call","call_id":"c"})") == "invalid_request input[0].name");
  CHECK(bad("7") == "invalid_request input[0]");
  CHECK(bad("") == "invalid_request input");
  CHECK(read("{}").error().message == "'input' is missing");
}

TEST_CASE("a response repeats its request with the defaults of the API") {
  const auto plain = with(R"("model":"x")");
  REQUIRE(plain);
  CHECK(
      plain->wish.echo ==
      R"("access_programs":null,"background":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,)"
      R"("previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","temperature":1,)"
      R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1,"truncation":"disabled")");
  const auto echoed = with(R"("instructions":"I","metadata":{"k":"v"},"parallel_tool_calls":false,"previous_response_id":"resp_1",
    "reasoning":{"effort":"low","summary":"auto"},"store":false,"text":{"verbosity":"low"},"tool_choice":"none","truncation":"auto",
    "prompt_cache_key":"p","client_metadata":{"x":1},"unknown":[],"max_output_tokens":5,"top_logprobs":2,"include":["reasoning.encrypted_content"],
    "tools":[{"type":"web_search"}])");
  REQUIRE(echoed);
  CHECK(
      echoed->wish.echo ==
      R"("access_programs":null,"background":false,"instructions":"I","max_output_tokens":5,"max_tool_calls":null,"metadata":{"k":"v"},"parallel_tool_calls":false,)"
      R"("previous_response_id":"resp_1","reasoning":{"effort":"low","summary":"auto"},"service_tier":"default","temperature":1,)"
      R"("text":{"format":{"type":"text"},"verbosity":"low"},"tool_choice":"none","tools":[{"type":"web_search"}],"top_logprobs":2,"top_p":1,)"
      R"("truncation":"auto","prompt_cache_key":"p")");
  CHECK(plain->wish.store);
  CHECK_FALSE(echoed->wish.store);
  CHECK(echoed->wish.encrypted_reasoning);
  CHECK(echoed->client.wish.logprobs);
  CHECK(echoed->client.turn.sampling.logprobs == 2);
  CHECK(echoed->client.turn.prompt.template_arguments == R"({"reasoning_effort":"low"})");
  const auto quiet = with(R"("reasoning":{"effort":"none"})");
  REQUIRE(quiet);
  CHECK(quiet->client.turn.prompt.template_arguments == R"({"enable_thinking":false})");
}

TEST_CASE("the names of items say which response they are part of") {
  const auto body = parse_object(R"({"previous_response_id":"resp_1"})");
  REQUIRE(body);
  CHECK(previous_response_of(*body) == "resp_1");
  CHECK(previous_response_of(*parse_object("{}")).empty());
}
