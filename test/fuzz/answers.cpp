// Answers of models through the parsers of reasoning and tool calls. Byte 0: the format and what is parsed; byte 1: how the text is cut;
// then the text. What holds: the pieces do not depend on the cuts, no byte is lost where no call begins, the arguments of a qwen3_coder
// call are JSON whatever was written, and a call around a JSON object is that call with that object.
#include <array>
#include <nlohmann/json.hpp>

#include "engine/text/answer_pieces.hpp"
#include "engine/text/chat_input_json.hpp"
#include "engine/text/reasoning_parser.hpp"
#include "test/fuzz/fuzz_input.hpp"
#include "test/text/answer_script.hpp"

namespace {

using namespace troupe;
using namespace troupe::text;
using fuzz::demand;
using kind = answer_piece::kind;
using json = nlohmann::json;

constexpr std::array<std::string_view, 4> formats{"hermes", "qwen3_coder", "llama3", "mistral"};

const std::vector<core::chat_tool>& tools() {
  static const std::vector<core::chat_tool> offered{
      {"run",
       R"({"type":"function","function":{"name":"run","parameters":{"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"integer"},"ratio":{"type":"number"},"force":{"type":"boolean"},"paths":{"type":"array","items":{"type":"string"}},"any":{}}}}})"},
      {"list", R"({"type":"function","function":{"name":"list"}})"}};
  return offered;
}

template <class Portions>
std::string read_reasoning(bool begins, reasoning_format format, const Portions& portions) {
  reasoning_parser parser(begins, format);
  std::vector<answer_piece> pieces;
  for (const auto portion : portions) parser.push(portion, pieces);
  parser.finish(pieces);
  return written(pieces);
}

/// The whole stage behind the tokens: reasoning, stop strings, calls.
std::string decode_answer(const std::vector<std::string_view>& portions, const answer_options& options) {
  return decoded({portions.begin(), portions.end()}, options);
}

void check_calls(std::string_view format, std::string_view text, const std::vector<std::string_view>& portions) {
  const std::array whole{text};
  const auto once = parse_calls(format, tools(), whole);
  const auto cut = parse_calls(format, tools(), portions);
  demand(written(once.pieces) == written(cut.pieces), "calls do not depend on the cuts", written(once.pieces) + "\n" + written(cut.pieces));
  if (once.calls == 0) demand(once.joined(kind::text) == text, "without a call all is text", once.joined(kind::text));
  std::size_t bytes = 0;
  for (const auto& piece : once.pieces) bytes += piece.text.size();
  demand(bytes <= 6 * text.size() + 64, "what comes out is bounded by what goes in");
  for (std::uint32_t index = 0; format == "qwen3_coder" && index < once.calls; ++index)
    demand(json::accept(once.joined(kind::tool_arguments, index)), "arguments are JSON", once.joined(kind::tool_arguments, index));
}

/// A call as the format writes it, whose arguments are the input.
std::string call_around(std::string_view format, std::string_view arguments) {
  const std::string object(arguments);
  if (format == "hermes") return "<tool_call>\n{\"name\": \"run\", \"arguments\": " + object + "}\n</tool_call>";
  if (format == "llama3") return "{\"name\": \"run\", \"parameters\": " + object + "}";
  return "[TOOL_CALLS] [{\"name\": \"run\", \"arguments\": " + object + "}]";
}

void check_whole_call(std::string_view format, std::string_view text, const std::vector<std::string_view>&, std::uint8_t seed) {
  if (format == "qwen3_coder" || !text.starts_with('{') || !text.ends_with('}') || !json::accept(text)) return;
  const auto call = call_around(format, text);
  const auto read = parse_calls(format, tools(), fuzz::portions_of(call, seed));
  demand(read.calls == 1 && read.joined(kind::tool_arguments) == text && read.joined(kind::text).empty(),
         "a call around an object is the call with that object", written(read.pieces));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input_reader input(data, size);
  const auto flags = input.byte(), seed = input.byte();
  // Parsers are given valid UTF-8: the detokeniser replaces what is none.
  const auto replaced = json::parse(quote(input.rest())).get<std::string>();
  const std::string_view text = replaced;
  const auto format = formats[flags % formats.size()];
  const bool begins = (flags & 4) != 0;
  const auto markers = (flags & 8) != 0 ? reasoning_format::think_brackets : reasoning_format::think_tags;
  const auto portions = fuzz::portions_of(text, seed);
  const std::vector whole{text};

  check_calls(format, text, portions);
  check_whole_call(format, text, portions, seed);
  demand(read_reasoning(begins, markers, whole) == read_reasoning(begins, markers, portions), "reasoning does not depend on the cuts");
  answer_options options;
  options.tool_format = format;
  options.tools = tools();
  options.parse_reasoning = (flags & 16) != 0;
  options.reasoning = markers;
  options.begins_in_reasoning = begins;
  if ((flags & 32) != 0) options.stop = {"STOP", "</end>"};
  demand(decode_answer(whole, options) == decode_answer(portions, options), "answers do not depend on the cuts",
         decode_answer(whole, options) + "\n" + decode_answer(portions, options));
  return 0;
}
