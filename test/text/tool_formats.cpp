// Which format a model's template writes, what each streams and when, and what bounds it.
#include "engine/text/tool_formats.hpp"

#include <doctest/doctest.h>

#include "engine/text/parameter_value.hpp"
#include "engine/text/tool_parser.hpp"
#include "messages/base/limits.hpp"
#include "test/text/answer_script.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

using list = std::vector<std::string>;

const std::vector<core::chat_tool> tools = {
    {"run",
     R"({"type": "function", "function": {"name": "run", "parameters": {"type": "object", "properties": {
       "command": {"type": "string"}, "count": {"type": "integer"}, "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
       "any": {"type": ["string", "number"]}, "deep": {"oneOf": [{"$ref": "#/x"}, {"type": "string"}]}, "odd": true}}}})"}};

/// What each portion made certain, then what the end released.
list steps(const std::string& format, const list& portions) {
  const auto parser = tool_parser::make(format, tools);
  list result;
  for (const auto& portion : portions) {
    std::vector<answer_piece> pieces;
    parser->push(portion, pieces);
    result.push_back(written(pieces));
  }
  std::vector<answer_piece> pieces;
  parser->finish(pieces);
  result.push_back(written(pieces));
  return result;
}

std::size_t text_bytes(const std::string& format, const list& portions) {
  const auto parser = tool_parser::make(format, tools);
  std::vector<answer_piece> pieces;
  for (const auto& portion : portions) parser->push(portion, pieces);
  std::size_t bytes = 0;
  for (const auto& piece : pieces) bytes += piece.what == answer_piece::kind::text ? piece.text.size() : 0;
  return bytes;
}

}  // namespace

TEST_CASE("a template tells the format of its calls") {
  CHECK(tool_format_of("<tool_call>\n{\"name\"") == "hermes");
  CHECK(tool_format_of("<tool_call>\n<function=example>\n<parameter=x>") == "qwen3_coder");
  CHECK(tool_format_of("<tool_call>{{ name }}\n<arg_key>") == "");
  CHECK(tool_format_of("{{ \"[TOOL_CALLS] [\" }}") == "mistral");
  CHECK(tool_format_of("<|start_header_id|> {{ '<|python_tag|>' }}") == "llama3");
  CHECK(tool_format_of("<|start_header_id|> {{ '{\"name\": function name, \"parameters\": dictionary}' }}") == "llama3");
  CHECK(tool_format_of("<|start_header_id|> {{ \"{\\\"name\\\": f, \\\"parameters\\\": d}\" }}") == "llama3");
  CHECK(tool_format_of("<|start_header_id|>{{ role }}<|end_header_id|>") == "");
  CHECK(tool_format_of("") == "");
}

TEST_CASE("a call's id has the shape that its format asks for") {
  CHECK(tool_call_id("hermes", 0xABC) == "call_0000000000000abc");
  CHECK(tool_call_id("", 1) == "call_0000000000000001");
  CHECK(tool_call_id("mistral", 0) == "000000000");
  CHECK(tool_call_id("mistral", 37) == "110000000");
  CHECK(tool_call_id("mistral", ~0ULL).size() == 9);
}

TEST_CASE("a schema tells which values are strings") {
  const auto kinds = value_kinds_of(tools, "run");
  CHECK(kinds == value_kinds{{"command", value_kind::text},
                             {"count", value_kind::json},
                             {"note", value_kind::text_or_null},
                             {"any", value_kind::json},
                             {"deep", value_kind::json},
                             {"odd", value_kind::json}});
  CHECK(value_kinds_of(tools, "walk").empty());
  const std::vector<core::chat_tool> broken = {{"a", "{"}, {"b", "[1]"}, {"c", R"({"function": {"parameters": 1}})"}};
  for (const auto& tool : broken) CHECK(value_kinds_of(broken, tool.name).empty());
}

TEST_CASE("a string streams as it arrives and other values when they are whole") {
  CHECK(steps("qwen3_coder", {"<tool_call>\n<function=run>\n", "<parameter=", "command>\n", "ls", " \"a\"\n", "b\n</para", "meter>\n",
                              "<parameter=count>\n", "1", "2\n", "</parameter>", "\n</function>", "\n</tool_call>"}) ==
        list{"", "0:run", "0({\"command\": )", "0(\"ls)", "0( \\\"a\\\")", "0(\\nb)", "0(\")", "0(, \"count\": )", "", "", "0(12)", "0(})",
             "", ""});
  CHECK(steps("qwen3_coder", {"<tool_call>\n<function=run>\n<parameter=note>\n", "nu", "ts", "\n</parameter>\n</function>"}) ==
        list{"0:run 0({\"note\": )", "", "0(\"nuts)", "0(\"})", ""});
  CHECK(steps("qwen3_coder", {"<tool_call>\n<function=run>\n<parameter=any>\n", " w", "x", "\n</parameter>\n</function>"}) ==
        list{"0:run 0({\"any\": )", "0(\" w)", "0(x)", "0(\"})", ""});
}

TEST_CASE("calls as JSON stream from their arguments on") {
  CHECK(steps("llama3", {" {\"name\"", ": \"f\", ", "\"parameters\"", ": {", "\"a\": 1", "}", "}", "; "}) ==
        list{"", "", "", "0:f 0({)", "0(\"a\": 1)", "0(})", "", "", ""});
  CHECK(steps("mistral", {"a\n", "[TOOL_", "CALLS]", "f", "[ARGS]", "{\"a\"", ": 1}", "[TOOL_CALLS]", " [{\"name\": \"g\"",
                          ", \"arguments\":", "{}", "}", "]"}) ==
        list{"t[a]", "", "", "", "", "0:f 0({\"a\")", "0(: 1})", "", "", "1:g", "1({})", "", "", ""});
}

TEST_CASE("only what may become a call is held back") {
  CHECK(steps("llama3", {" ", "\n", "<|py", "re"}) == list{"", "", "", "t[ \n<|pyre]", ""});
  CHECK(steps("mistral", {"a[", "b", "[TOOL_", "S"}) == list{"t[a]", "t[[b]", "", "t[[TOOL_S]", ""});
  CHECK(steps("qwen3_coder", {"a<", "b", "<tool_call>", " x"}) == list{"t[a]", "t[<b]", "", "t[<tool_call> x]", ""});
}

TEST_CASE("a call that is too long before it begins is text") {
  const list much(limits::tool_held_bytes_max / 64 + 2, std::string(64, 'x'));
  const auto held = [&](const std::string& begin) {
    list portions = much;
    portions.insert(portions.begin(), begin);
    return portions;
  };
  const auto bytes = much.size() * 64;
  for (const auto& [format, begin] : std::vector<std::pair<std::string, std::string>>{{"hermes", "<tool_call>{\"name\": \""},
                                                                                      {"hermes", "<tool_call>{\"arguments\": \""},
                                                                                      {"qwen3_coder", "<tool_call><function="},
                                                                                      {"llama3", "{\"parameters\": \""},
                                                                                      {"mistral", "[TOOL_CALLS][{\"name\": \""},
                                                                                      {"mistral", "[TOOL_CALLS]"}}) {
    INFO(format, ": ", begin);
    CHECK(text_bytes(format, held(begin)) == begin.size() + bytes);
  }
}

TEST_CASE("what is too long to be looked at whole is text, and a key may have any length") {
  const auto parser = tool_parser::make("qwen3_coder", tools);
  std::vector<answer_piece> pieces;
  parser->push("<tool_call><function=run><parameter=count>[", pieces);
  for (std::size_t bytes = 0; bytes <= limits::tool_held_bytes_max; bytes += 64) parser->push(std::string(64, '1'), pieces);
  CHECK(written(pieces).starts_with("0:run 0({\"count\": \"[1111"));

  const std::string space(limits::tool_head_bytes_max + 1, ' ');
  CHECK(steps("qwen3_coder", {"<tool_call><function=run><parameter=count>", space, "1</parameter></function>"}) ==
        list{"0:run 0({\"count\": )", "0(\"" + space + ")", "0(1\"})", ""});
  CHECK(steps("llama3", {space + "{\"name\": \"f\", \"parameters\": {}}"}) ==
        list{"t[" + space + "{\"name\": \"f\", \"parameters\": {}}]", ""});
  CHECK(steps("mistral", {"[TOOL_CALLS]f[ARGS]{}", space, "[TOOL_CALLS]f[ARGS]{}"}) ==
        list{"0:f 0({})", "t[" + space + "]", "1:f 1({})", ""});

  const std::string key(1 << 16, 'k');
  CHECK(steps("hermes", {"<tool_call>{\"name\": \"f\", \"arguments\": {}, \"" + key + "\": 1}</tool_call>"}) == list{"0:f 0({})", ""});
}

TEST_CASE("the markers of a format are read where they are special tokens") {
  const auto tokens = std::make_shared<listed_tokenizer>(std::vector<listed_tokenizer::entry>{
      {"[THINK]", true}, {"[/THINK]", true}, {"[TOOL_CALLS]", true}, {"[ARGS]", true}, {"</s>", true}, {"f", false}, {"{}", false}});
  answer_decoder decoder(tokens, {.tool_format = "mistral", .parse_reasoning = true, .reasoning = reasoning_format::think_brackets});
  std::vector<answer_piece> pieces;
  for (const token_id token : {0, 5, 4, 1, 2, 5, 3, 6, 4}) decoder.push(token, pieces);
  decoder.finish(pieces);
  CHECK(written(pieces) == "r[f] 0:f 0({})");
  CHECK(decoder.reasoning_tokens() == 4);
}
