// Bytes to text: code points stay whole, broken bytes are grouped as Python groups them.
#include "engine/text/detokenizer.hpp"

#include <doctest/doctest.h>

#include "test/text/listed_tokenizer.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

std::string repaired(const std::string& bytes) {
  utf8_stream stream;
  std::string text;
  stream.push(bytes, text);
  stream.finish(text);
  return text;
}

std::string joined(std::shared_ptr<const tokenizer> tokens, const detokenizer_options& options, const std::vector<token_id>& answer) {
  detokenizer reader(std::move(tokens), options);
  std::string text;
  for (const auto token : answer) reader.push(token, text);
  reader.finish(text);
  return text;
}

const std::string mark = "\uFFFD";

}  // namespace

TEST_CASE("broken bytes become as many replacement characters as in Python") {
  // Each row: bytes.decode(errors="replace") of Python 3.11.
  CHECK(repaired("\xF0\x9F\x8E\xAD") == "🎭");
  CHECK(repaired("\xF0\x9F\x8E") == mark);
  CHECK(repaired("\xF0\x9F\x8E"
                 "a") == mark + "a");
  CHECK(repaired("\xF0\x9F\xF0\x9F\x8E\xAD") == mark + "🎭");
  CHECK(repaired("\x80\xBF") == mark + mark);
  CHECK(repaired("\xC1\x80") == mark + mark);
  CHECK(repaired("\xE0\x9F\x80") == mark + mark + mark);
  CHECK(repaired("\xED\x9F\xBF") == "\uD7FF");
  CHECK(repaired("\xED\xA0\x80") == mark + mark + mark);
  CHECK(repaired("\xF4\x8F\xBF\xBF") == "\U0010FFFF");
  CHECK(repaired("\xF4\x90\x80\x80") == mark + mark + mark + mark);
  CHECK(repaired("\xF5\x80") == mark + mark);
  CHECK(repaired("\xE4\xB8\xE4\xB8\x96") == mark + "世");
  CHECK(repaired(std::string("a\0b", 3)) == std::string("a\0b", 3));
}

TEST_CASE("a token that ends inside a code point waits for the next one") {
  detokenizer reader(listed_tokenizer::of({"a\xE4", "\xB8", "\x96z"}), {});
  std::string text;
  reader.push(0, text);
  CHECK(text == "a");
  reader.push(1, text);
  CHECK(text == "a");
  reader.push(2, text);
  CHECK(text == "a世z");
}

TEST_CASE("SentencePiece's first space is stripped once, unless the answer continues a text") {
  const auto tokens = listed_tokenizer::of({" a", " b", " "}, true);
  CHECK(joined(tokens, {}, {0, 1}) == "a b");
  CHECK(joined(tokens, {}, {2, 1}) == " b");
  CHECK(joined(tokens, {.keep_leading_space = true}, {0, 1}) == " a b");
  CHECK(joined(listed_tokenizer::of({" a"}), {}, {0}) == " a");
}

TEST_CASE("special tokens are skipped unless they are wanted or kept, unknown ones say nothing") {
  const auto tokens = std::make_shared<listed_tokenizer>(
      std::vector<listed_tokenizer::entry>{{"<s>", true}, {"<m>", true}, {"\xC3", false}, {"\xA9", false}});
  CHECK(joined(tokens, {}, {0, 2, 0, 3, 1, 99, -1}) == "é");
  CHECK(joined(tokens, {.keep = {"<m>", "<absent>"}}, {0, 2, 3, 1}) == "é<m>");
  CHECK(joined(tokens, {.skip_special_tokens = false}, {0, 2, 0, 3}) == "<s>" + mark + "<s>" + mark);
}
