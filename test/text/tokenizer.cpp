#include "engine/text/tokenizer.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/text/tokenizer_files.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

using ids = std::vector<token_id>;

/// Splits by `regex`, keeps characters apart: shows where a word ends by an unknown token between words.
std::shared_ptr<const tokenizer> splitting_by(const std::string& regex) {
  nlohmann::json file = {
      {"pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}}},
      {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"aa", 1}, {"aaaa", 2}, {"b", 3}}}, {"merges", {"a a", "aa aa"}}}}};
  auto loaded = test::load_content(file.dump());
  REQUIRE(loaded);
  return *loaded;
}

}  // namespace

TEST_CASE("specials are found where encode finds them") {
  const auto tokens = test::load_kind("qwen2");
  const std::string text = "<|im_start|>user\n\xC3\xA9<|im_end|><|im_end<tool_call>";
  const auto start = *tokens->find("<|im_start|>"), end = *tokens->find("<|im_end|>");
  const auto spans = tokens->find_specials(text);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].begin == 0);
  CHECK(spans[0].end == 12);
  CHECK(spans[0].token == start);
  CHECK(spans[1].begin == 19);
  CHECK(spans[1].end == 29);
  CHECK(spans[1].token == end);
  CHECK(tokens->encode(text, {}).front() == start);
}

TEST_CASE("a special takes the white space that its flags say") {
  const auto tokens = test::load_kind("metaspace");
  const std::string text = "a \n<both>  b <right> c <left>";
  const auto spans = tokens->find_specials(text);
  REQUIRE(spans.size() == 3);
  CHECK(text.substr(spans[0].begin, spans[0].end - spans[0].begin) == " \n<both>  ");
  CHECK(text.substr(spans[1].begin, spans[1].end - spans[1].begin) == "<right> ");
  CHECK(text.substr(spans[2].begin, spans[2].end - spans[2].begin) == " <left>");
  CHECK_FALSE(spans[0].cut);
  CHECK(spans[1].cut);
}

TEST_CASE("invalid UTF-8 encodes as U+FFFD, one for each maximal part") {
  for (const std::string kind : test::tokenizer_kinds) {
    CAPTURE(kind);
    const auto tokens = test::load_kind(kind);
    CHECK(tokens->encode("x\xFFy\xE6\x97z\xF0\x9F\x91", {}) == tokens->encode("x\uFFFDy\uFFFDz\uFFFD", {}));
  }
}

TEST_CASE("a decoded sequence may end inside a code point, and nowhere else has broken bytes") {
  const auto tokens = test::load_kind("gpt2");
  ids parts;
  for (const std::string mark : {"\u00F0", "\u0141", "\u0133"}) parts.push_back(*tokens->find(mark));  // F0 9F 91
  REQUIRE(tokens->token_bytes(parts[0]) == "\xF0");
  REQUIRE(tokens->token_bytes(parts[1]) == "\x9F");
  CHECK(tokens->decode({parts[0], parts[1]}, {}) == "\xF0\x9F");
  const auto x = *tokens->find("x");
  CHECK(tokens->decode({parts[0], parts[1], x}, {}) == "\uFFFDx");
  CHECK(tokens->decode({parts[1], x, parts[0]}, {}) == "\uFFFDx\xF0");
  const auto fallback = test::load_kind("llama2");
  const auto first = *fallback->find("<0xF0>"), second = *fallback->find("<0x9F>"), letter = *fallback->find("x");
  CHECK(fallback->decode({first, second}, {}) == "\xF0\x9F");
  CHECK(fallback->decode({first, second, letter}, {}) == "\uFFFD\uFFFDx");
  CHECK(fallback->token_bytes(second) == "\x9F");
}

TEST_CASE("a word of 400 KB is merged, whatever it is made of") {
  const auto tokens = test::load_kind("gpt2");
  const std::string letters(400'000, 'a'), spaces(400'000, ' ');
  CHECK(tokens->decode(tokens->encode(letters, {}), {}) == letters);
  CHECK(tokens->decode(tokens->encode(spaces, {}), {}) == spaces);
  const auto pairs = splitting_by("a+")->encode(letters + "aaa", {});
  CHECK(pairs.size() == 100'002);
  CHECK(pairs[0] == 2);
  CHECK(pairs[99'999] == 2);
  CHECK(pairs[100'000] == 1);
  CHECK(pairs[100'001] == 0);
}

TEST_CASE("a regex that would backtrack for ever stops, and its text stays one word") {
  const auto tokens = splitting_by("(a+)+b");
  CHECK(tokens->encode("aaaabaa", {}) == ids{2, 3, 1});
  CHECK(tokens->encode(std::string(64, 'a'), {}) == ids(16, 2));
  const auto deep = splitting_by("(?:a|b)*c");  // one saved state per character
  CHECK(deep->encode(std::string(400'000, 'a'), {}).size() == 100'000);
}

TEST_CASE("^ and $ match at every line feed and nowhere else") {
  const auto at_lines = splitting_by("^a");
  CHECK(at_lines->encode("aa\naa", {}) == ids{0, 0, 0, 0});
  CHECK(at_lines->encode("aa\raa", {}) == ids{0, 1, 0});  // the carriage return is unknown and vanishes
}
