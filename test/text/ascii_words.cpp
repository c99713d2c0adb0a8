// The word pattern by hand against the same pattern on the regex engine: a group around it is enough for the hand to leave it alone.
#include "engine/text/ascii_words.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/text/token_regex.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;
using text::text_span;

namespace {

const std::string head = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
const std::string tail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string qwen = head + R"(\p{N})" + tail;
const std::string llama3 = head + R"(\p{N}{1,3})" + tail;

text::token_regex compile(const std::string& pattern) {
  const nlohmann::json none;
  return {pattern, text::json_node(none, "$")};
}

std::vector<text_span> matches(const text::token_regex& regex, const std::string& input, text_span piece) {
  std::vector<text_span> found;
  text::regex_scan(regex, input).find(piece, found);
  return found;
}

std::vector<std::string> words(const text::token_regex& regex, const std::string& input) {
  std::vector<std::string> cut;
  for (const auto& each : matches(regex, input, {0, input.size()})) cut.push_back(input.substr(each.begin, each.end - each.begin));
  return cut;
}

/// Text of `length` draws, mostly of what decides between the alternatives.
std::string draw_text(test::random_source& random, std::size_t length) {
  static const std::vector<std::string> parts{" ", " ", "  ", "\n", "\r\n", "\t", "'", "'s", "'LL", "'re", "a", "Zq", "re", "7", "123", "4567", "(", "...", "_", "\"", "\v", "\x1c", "\x7f",
                                              "é", "ſ", "中", "\u00a0", "\u2028", "٣", "😀", "e\u0301"};
  std::string made;
  for (std::size_t i = 0; i < length; ++i) made += parts[random.below(parts.size())];
  return made;
}

}  // namespace

TEST_CASE("the word pattern is known by its text, with one digit or with three") {
  CHECK(text::ascii_words::of(qwen));
  CHECK(text::ascii_words::of(llama3));
  CHECK_FALSE(text::ascii_words::of("(?:" + qwen + ")"));
  CHECK_FALSE(text::ascii_words::of(head + R"(\p{N}+)" + tail));
  CHECK_FALSE(text::ascii_words::of(R"(\p{L}+)"));
}

TEST_CASE("words by hand") {
  const auto regex = compile(llama3);
  REQUIRE(regex.by_hand());
  CHECK(words(regex, "I'll say 12345 words.\n\n  (Really)") ==
        std::vector<std::string>{"I", "'ll", " say", " ", "123", "45", " words", ".\n\n", " ", " (", "Really", ")"});
  CHECK(words(compile(qwen), "x = 42;  ") == std::vector<std::string>{"x", " =", " ", "4", "2", ";", "  "});
}

TEST_CASE("by hand and by the engine every text is cut alike, ASCII or not") {
  test::random_source random{11};
  for (const auto& pattern : {qwen, llama3}) {
    const auto by_hand = compile(pattern), by_engine = compile("(?:" + pattern + ")");
    REQUIRE(by_hand.by_hand());
    REQUIRE_FALSE(by_engine.by_hand());
    std::size_t equal = 0;
    for (int round = 0; round < 3000; ++round) {
      const auto input = draw_text(random, 1 + random.below(24));
      const bool alike = words(by_hand, input) == words(by_engine, input);
      equal += alike ? 1 : 0;
      if (!alike) MESSAGE("differs: " << nlohmann::json(input).dump());
    }
    CHECK(equal == 3000);
  }
}

TEST_CASE("pieces of a text do not see each other") {
  const std::string input = "one  two 12\xC3\xA9 3";
  const auto by_hand = compile(qwen), by_engine = compile("(?:" + qwen + ")");
  for (const text_span piece : {text_span{0, 4}, text_span{4, 9}, text_span{9, 13}, text_span{11, 15}}) CHECK(matches(by_hand, input, piece) == matches(by_engine, input, piece));
  CHECK(matches(by_hand, input, {0, 4}) == std::vector<text_span>{{0, 3}, {3, 4}});
}
