// Answers with tool calls in every format (data/tool_calls), in every portioning: the pieces are the same, no byte is lost, and the
// fragments of a call's arguments are the JSON that they are said to be.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "test/text/answer_script.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

using json = nlohmann::json;
using kind = answer_piece::kind;

struct tool_vector {
  std::string name, text, expected;
  reasoning_format reasoning = reasoning_format::think_tags;
  bool parse_reasoning = false, begins_in_reasoning = false;
  bool is_cut = false;  ///< inside of arguments that come out as the model writes them
};

struct format_vectors {
  std::string format;
  std::vector<core::chat_tool> tools;
  std::vector<tool_vector> vectors;

  [[nodiscard]] answer_options options(const tool_vector& one) const {
    answer_options result;
    result.tool_format = format;
    result.tools = tools;
    result.parse_reasoning = one.parse_reasoning;
    result.reasoning = one.reasoning;
    result.begins_in_reasoning = one.begins_in_reasoning;
    return result;
  }
};

format_vectors load(const std::string& format) {
  const char* folder = std::getenv("TROUPE_SOURCE");
  const auto path = std::filesystem::path(folder != nullptr ? folder : ".") / "test/text/data/tool_calls" / (format + ".json");
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path.string());
  const auto data = json::parse(file);
  format_vectors loaded{data.at("format"), {}, {}};
  for (const auto& tool : data.at("tools")) loaded.tools.push_back({tool.at("function").at("name"), tool.dump()});
  for (const auto& each : data.at("vectors")) {
    tool_vector one{.name = each.at("name"), .text = each.at("text"), .expected = each.at("expected")};
    one.parse_reasoning = each.contains("reasoning");
    if (each.value("reasoning", "") == "brackets") one.reasoning = reasoning_format::think_brackets;
    one.begins_in_reasoning = each.value("begins_in_reasoning", false);
    one.is_cut = each.value("cut", false);
    loaded.vectors.push_back(std::move(one));
  }
  return loaded;
}

const std::vector<std::string> formats = {"hermes", "qwen3_coder", "llama3", "mistral"};

parsed_calls parse(const format_vectors& of, const std::vector<std::string>& portions) {
  return parse_calls(of.format, of.tools, portions);
}

/// Text with everything that the formats give a meaning, in an order that mostly makes none.
std::string scraps(std::mt19937& random) {
  static const std::vector<std::string> all = {"<tool_call>",
                                               "</tool_call>",
                                               "<function=",
                                               "run",
                                               ">",
                                               "</function>",
                                               "<parameter=",
                                               "command>",
                                               "timeout>",
                                               "\n",
                                               "</parameter>",
                                               "<|python_tag|>",
                                               "{\"name\": \"f\"",
                                               ", ",
                                               "\"parameters\": ",
                                               "\"arguments\": ",
                                               "{\"a\": \"}\"}",
                                               "}",
                                               ";",
                                               " ",
                                               "[TOOL_CALLS]",
                                               "[ARGS]",
                                               "[",
                                               "]",
                                               "12",
                                               "\"",
                                               "\\",
                                               "null",
                                               "é",
                                               "<",
                                               "<function=run>\n<parameter=command>\n",
                                               "\n</parameter>\n</function>\n"};
  static const std::vector<std::string> begins = {
      "<tool_call>\n{\"name\": \"f\", \"arguments\": ", "<tool_call>\n<function=run>\n<parameter=command>\n", "[TOOL_CALLS]f[ARGS]",
      "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": ", "{\"name\": \"f\", \"parameters\": {\"a\": [\"}\"]}}; "};
  std::string text = random() % 2 == 0 ? begins[random() % begins.size()] : "";
  for (auto count = 4 + random() % 12; count > 0; --count) text += all[random() % all.size()];
  return text;
}

}  // namespace

TEST_CASE("the calls of an answer are the same in every portioning") {
  for (const auto& format : formats) {
    const auto of = load(format);
    for (const auto& one : of.vectors) {
      INFO(format, ": ", one.name);
      CHECK(decoded({one.text}, of.options(one)) == one.expected);
      for (const auto& portions : all_portionings(one.text, 11)) {
        if (decoded(portions, of.options(one)) == one.expected) continue;
        INFO("first portion: ", portions.front(), ", portions: ", portions.size(), ", seed 11");
        REQUIRE(decoded(portions, of.options(one)) == one.expected);
      }
    }
  }
}

TEST_CASE("the fragments of a call's arguments are valid JSON") {
  for (const auto& format : formats) {
    const auto of = load(format);
    std::uint32_t calls = 0;
    for (const auto& one : of.vectors) {
      INFO(format, ": ", one.name);
      if (one.is_cut) continue;
      const auto whole = parse(of, {one.text});
      for (std::uint32_t index = 0; index < whole.calls; ++index) CHECK(json::accept(whole.joined(kind::tool_arguments, index)));
      calls += whole.calls;
    }
    CHECK(calls >= 6);
  }
}

TEST_CASE("no beginning of an answer loses bytes") {
  for (const auto& format : formats) {
    const auto of = load(format);
    for (const auto& one : of.vectors) {
      INFO(format, ": ", one.name);
      const auto whole = parse(of, {one.text});
      for (std::size_t size = 0; size <= one.text.size(); ++size) {
        const auto beginning = one.text.substr(0, size);
        const auto part = parse(of, {beginning});
        const bool is_split = size < one.text.size() && (static_cast<unsigned char>(one.text[size]) & 0xC0) == 0x80;  // a code point
        INFO("beginning: ", beginning);
        if (part.calls == 0) REQUIRE(part.joined(kind::text) == beginning);
        for (std::uint32_t index = 0; index < part.calls; ++index) {
          const auto arguments = part.joined(kind::tool_arguments, index);
          if (format == "qwen3_coder") {
            if (!is_split) REQUIRE(json::accept(arguments));
          } else {
            REQUIRE(whole.joined(kind::tool_arguments, index).starts_with(arguments));
          }
        }
      }
    }
  }
}

TEST_CASE("whatever is written, the pieces are the same in every portioning, and all text where there is no call") {
  for (const auto& format : formats) {
    const auto of = load(format);
    std::uint32_t calls = 0;
    for (unsigned seed = 1; seed <= 300; ++seed) {
      INFO(format, ", seed ", seed);
      std::mt19937 random(seed);
      const auto text = scraps(random);
      const auto whole = parse(of, {text});
      calls += whole.calls;
      if (whole.calls == 0) REQUIRE(whole.joined(kind::text) == text);
      for (std::uint32_t index = 0; format == "qwen3_coder" && index < whole.calls; ++index)
        REQUIRE(json::accept(whole.joined(kind::tool_arguments, index)));
      for (const auto& portions : all_portionings(text, seed)) REQUIRE(written(parse(of, portions).pieces) == written(whole.pieces));
    }
    CHECK(calls >= 10);
  }
}

TEST_CASE("bytes of any kind are read to their end") {
  for (const auto& format : formats) {
    const auto of = load(format);
    for (unsigned seed = 1; seed <= 50; ++seed) {
      INFO(format, ", seed ", seed);
      std::mt19937 random(seed);
      auto text = scraps(random) + scraps(random);
      for (int changes = 0; changes < 6; ++changes) text[random() % text.size()] = static_cast<char>(random());
      const auto whole = parse(of, {text});
      if (whole.calls == 0) CHECK(whole.joined(kind::text) == text);
      CHECK(written(parse(of, portions_of(text, [] { return 1; })).pieces) == written(whole.pieces));
    }
  }
}
