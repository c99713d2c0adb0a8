// The whole decoder: every vector gives the same pieces in every portioning, at all byte boundaries.
#include "engine/text/answer_decoder.hpp"

#include <doctest/doctest.h>

#include "engine/text/tool_formats.hpp"
#include "test/text/answer_script.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

struct vector_case {
  const char* name;
  std::string text, expected;
  answer_options options;
};

const answer_options tools{.tool_format = "hermes"};
const answer_options both{.tool_format = "hermes", .parse_reasoning = true};
const answer_options inside{.tool_format = "hermes", .parse_reasoning = true, .begins_in_reasoning = true};
const answer_options plain{};
const answer_options stopping{.stop = {"END", "\nUser:", "ENDE"}, .tool_format = "hermes", .parse_reasoning = true};

std::vector<vector_case> vectors() {
  return {
      {"prose", "Grüße, 世界! 🎭", "t[Grüße, 世界! 🎭]", plain},
      {"nothing is parsed without a format", "<think>a</think><tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>",
       "t[<think>a</think><tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>]", plain},
      {"broken bytes", "a\xE4\xB8z\xFF\xF0\x9F\x8E", "t[a\uFFFDz\uFFFD\uFFFD]", plain},
      {"overlong and surrogate", "\xC0\xAF\xED\xA0\x80\xE0\x80", "t[\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD]", plain},
      {"one call", "<tool_call>\n{\"name\": \"ls\", \"arguments\": {\"path\": \"/\"}}\n</tool_call>", "0:ls 0({\"path\": \"/\"})", tools},
      {"text, then two calls",
       "I look.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": [1, {\"y\": 2}]}}\n</tool_call>\n<tool_call>\n"
       "{\"name\": \"b\", \"arguments\": {}}\n</tool_call>\n",
       "t[I look.] 0:a 0({\"x\": [1, {\"y\": 2}]}) 1:b 1({})", tools},
      {"calls without space",
       "<tool_call>{\"name\":\"a\",\"arguments\":{}}</tool_call><tool_call>{\"name\":\"b\",\"arguments\":{\"k\":1}}</tool_call>",
       "0:a 0({}) 1:b 1({\"k\":1})", tools},
      {"strings with escapes and markers",
       "<tool_call>\n{\"name\": \"w\", \"arguments\": {\"t\": \"\\\"}</tool_call>\\\\\", \"ü\": \"\\u00fc{[\"}}\n</tool_call>",
       "0:w 0({\"t\": \"\\\"}</tool_call>\\\\\", \"ü\": \"\\u00fc{[\"})", tools},
      {"no arguments", "<tool_call>\n{\"name\": \"now\"}\n</tool_call>", "0:now 0({})", tools},
      {"arguments first", "<tool_call>\n{\"arguments\": {\"a\": 1}, \"name\": \"f\"}\n</tool_call>", "0:f 0({\"a\": 1})", tools},
      {"other members",
       "<tool_call>\n{\"name\": \"f\", \"id\": 7, \"more\": {\"arguments\": 1}, \"arguments\": {\"a\": null}, \"z\": \"}\"}\n</tool_call>",
       "0:f 0({\"a\": null})", tools},
      {"a name with escapes", "<tool_call>{\"name\": \"caf\\u00e9\", \"arguments\": {}}</tool_call>", "0:café 0({})", tools},
      {"arguments that are no object", "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\":1}\"}</tool_call>",
       "0:f 0(\"{\\\"a\\\":1}\")", tools},
      {"arguments that are a number", "<tool_call>{\"name\": \"f\", \"arguments\": 12}</tool_call>", "0:f 0(12)", tools},
      {"a marker in prose", "Write <tool_call> before it, and <tool_calls> not.", "t[Write <tool_call> before it, and <tool_calls> not.]",
       tools},
      {"a marker before another object", "See <tool_call>\n{\"nam\": 1}\n</tool_call> there",
       "t[See <tool_call>\n{\"nam\": 1}\n</tool_call> there]", tools},
      {"a name that is no string", "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>",
       "t[<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>]", tools},
      {"arguments without a name", "\n<tool_call>{\"arguments\": {}}</tool_call>", "t[\n<tool_call>{\"arguments\": {}}</tool_call>]",
       tools},
      {"a marker twice", "<tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", "t[<tool_call>\n] 0:f 0({})",
       tools},
      {"newlines before a call", "a\n\n\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n\n", "t[a\n\n] 0:f 0({})", tools},
      {"text after a call", "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n\nDone.", "0:f 0({}) t[\n\nDone.]", tools},
      {"text between calls",
       "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> and\n<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>",
       "0:f 0({}) t[ and] 1:g 1({})", tools},
      {"a brace too many", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}}\n</tool_call>\nx", "0:f 0({\"a\": 1}) t[\nx]",
       tools},
      {"a brace too few", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}\n</tool_call>", "0:f 0({\"a\": 1})", tools},
      {"no closing marker", "<tool_call>{\"name\": \"f\", \"arguments\": {}}\n<tool_call>{\"name\": \"g\", \"arguments\": {}}",
       "0:f 0({}) 1:g 1({})", tools},
      {"cut in the arguments", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"b", "0:f 0({\"a\": \"b)", tools},
      {"cut after the name", "<tool_call>\n{\"name\": \"f\", \"arg", "0:f", tools},
      {"cut in the name", "x\n<tool_call>\n{\"name\": \"f", "t[x\n<tool_call>\n{\"name\": \"f]", tools},
      {"cut in the marker", "x\n<tool_c", "t[x\n<tool_c]", tools},
      {"cut in the closing marker", "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_", "0:f 0({})", tools},
      {"reasoning", "<think>\nhm\n\nso\n</think>\n\nYes.", "r[hm\n\nso] t[Yes.]", both},
      {"space before reasoning", " \n<think>a</think>b", "r[a] t[b]", both},
      {"no reasoning", "  <thin ice", "t[  <thin ice]", both},
      {"empty reasoning", "<think>\n\n</think>\n\nYes.", "t[Yes.]", both},
      {"a marker later is prose", "a <think>b</think>", "t[a <think>b</think>]", both},
      {"reasoning without end", "<think>\nhm </thin\n", "r[hm </thin\n]", both},
      {"the prompt opened it", "hm </b>\n</think>\nYes", "r[hm </b>] t[Yes]", inside},
      {"the prompt opened it and the model again", "\n<think>\nhm</think>Yes", "r[hm] t[Yes]", inside},
      {"calls in reasoning are thoughts", "<think><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call></think>",
       "r[<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>]", both},
      {"reasoning, text, call",
       "<think>\na\n</think>\n\nb\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"k\": \"</think>\"}}\n</tool_call>",
       "r[a] t[b] 0:f 0({\"k\": \"</think>\"})", both},
      {"reasoning, call", "<think>\na\n</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", "r[a] 0:f 0({})",
       both},
      {"a stop string", "one EN END two", "t[one EN ]", stopping},
      {"a stop string in a call", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"\nUser:", "0:f 0({\"a\": \")", stopping},
      {"a stop string that almost came", "<think>a\nUser</think>ENEN", "r[a\nUser] t[ENEN]", stopping},
  };
}

}  // namespace

TEST_CASE("the pieces of an answer are the same in every portioning") {
  for (const auto& one : vectors()) {
    INFO("vector: ", one.name);
    REQUIRE(decoded({one.text}, one.options) == one.expected);
    for (const auto& portions : all_portionings(one.text, 7)) {
      if (decoded(portions, one.options) == one.expected) continue;
      INFO("first portion: ", portions.front(), ", portions: ", portions.size(), ", seed 7");
      REQUIRE(decoded(portions, one.options) == one.expected);
    }
  }
}

TEST_CASE("no piece ends inside a code point") {
  const std::string text = "<think>ä</think>🎭\n<tool_call>{\"name\": \"世\", \"arguments\": {\"k\": \"界🎭\"}}</tool_call>";
  const auto portions = portions_of(text, [] { return 1; });
  answer_decoder decoder(listed_tokenizer::of(portions), both);
  for (std::size_t token = 0; token < portions.size(); ++token) {
    std::vector<answer_piece> pieces;
    decoder.push(static_cast<token_id>(token), pieces);
    for (const auto& piece : pieces) {
      CHECK((static_cast<unsigned char>(piece.text.front()) & 0xC0) != 0x80);
      std::string whole;
      utf8_stream stream;
      stream.push(piece.text, whole);
      CHECK(whole == piece.text);
    }
  }
}

TEST_CASE("a call begins with its arguments' key and streams from then on") {
  const std::vector<std::string> portions = {"<tool_call>", "\n{\"name\": \"f\"", ", \"arguments\"", ": ", "{\"a\": ", "\"b\"}",
                                             "}",           "\n</tool_call>"};
  const std::vector<std::string> expected = {"", "", "", "0:f", "0({\"a\": )", "0(\"b\"})", "", ""};
  answer_decoder decoder(listed_tokenizer::of(portions), tools);
  for (std::size_t token = 0; token < portions.size(); ++token) {
    std::vector<answer_piece> pieces;
    CHECK(decoder.push(static_cast<token_id>(token), pieces));
    CHECK(written(pieces) == expected[token]);
  }
  CHECK(decoder.tool_calls() == 1);
}

TEST_CASE("only what may become a marker is held back") {
  const std::vector<std::string> portions = {"a<", "b", "<tool", "_", "calm", "\n", "c"};
  const std::vector<std::string> expected = {"t[a]", "t[<b]", "", "", "t[<tool_calm]", "", "t[\nc]"};
  answer_decoder decoder(listed_tokenizer::of(portions), tools);
  for (std::size_t token = 0; token < portions.size(); ++token) {
    std::vector<answer_piece> pieces;
    decoder.push(static_cast<token_id>(token), pieces);
    CHECK(written(pieces) == expected[token]);
  }
}

TEST_CASE("markers that are special tokens are read and other special tokens are skipped") {
  const auto tokens =
      std::make_shared<listed_tokenizer>(std::vector<listed_tokenizer::entry>{{"<think>", true},
                                                                              {"</think>", true},
                                                                              {"<tool_call>", true},
                                                                              {"</tool_call>", true},
                                                                              {"<|im_end|>", true},
                                                                              {"hm", false},
                                                                              {"{\"name\": \"f\", \"arguments\": {}}", false}});
  const std::vector<token_id> answer = {0, 5, 4, 1, 2, 6, 3, 4};
  const auto run = [&](const answer_options& options) {
    answer_decoder decoder(tokens, options);
    std::vector<answer_piece> pieces;
    for (const auto token : answer) decoder.push(token, pieces);
    decoder.finish(pieces);
    return written(pieces) + " " + std::to_string(decoder.reasoning_tokens());
  };
  CHECK(run(both) == "r[hm] 0:f 0({}) 4");
  CHECK(run(plain) == "t[hm{\"name\": \"f\", \"arguments\": {}}] 0");
  CHECK(run({.skip_special_tokens = false}) ==
        "t[<think>hm<|im_end|></think><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call><|im_end|>] 0");
}

TEST_CASE("after a stop string nothing more is read") {
  const auto tokens = listed_tokenizer::of({"a", "EN", "D", "b"});
  answer_decoder decoder(tokens, {.stop = {"END"}});
  std::vector<answer_piece> pieces;
  CHECK(decoder.push(0, pieces));
  CHECK(decoder.push(1, pieces));
  CHECK_FALSE(decoder.push(2, pieces));
  CHECK_FALSE(decoder.push(3, pieces));
  decoder.finish(pieces);
  CHECK(written(pieces) == "t[a]");
  CHECK(decoder.stop_string() == "END");
}

TEST_CASE("an unknown tool format is told apart and parses nothing") {
  for (const auto* name : {"hermes", "qwen3_coder", "llama3", "mistral"}) CHECK(is_tool_format(name));
  CHECK_FALSE(is_tool_format(""));
  CHECK_FALSE(is_tool_format("yaml"));
  CHECK(decoded({"<tool_call>{\"name\": \"f\", \"arguments\": {}}"}, {.tool_format = "yaml"}) ==
        "t[<tool_call>{\"name\": \"f\", \"arguments\": {}}]");
}
