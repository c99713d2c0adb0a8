#include "engine/text/prompt_encoder.hpp"

#include <doctest/doctest.h>

#include <random>

#include "test/text/tokenizer_files.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

const core::block_hasher hasher(42, 4);

/// A conversation that grows and changes in ways that have made caches wrong.
class history {
 public:
  history(const tokenizer& tokens, std::uint64_t seed) : draw_(seed) {
    for (token_id id = 0; id < static_cast<token_id>(tokens.size()); ++id) {
      if (!tokens.is_special(id)) continue;
      specials_.push_back(tokens.token_bytes(id));
      CHECK(tokens.find(specials_.back()) == id);
    }
    for (int i = 0; i < 4; ++i) append_turn();
  }

  const std::string& text() const { return text_; }

  void append_turn() {
    text_ += special();
    for (auto i = below(6); i > 0; --i) text_ += piece();
  }

  void edit() {
    const auto at = below(text_.size() + 1);
    switch (below(6)) {
      case 0:
        text_.insert(at, piece());
        break;
      case 1:
        text_.insert(at, special());
        break;
      case 2:
        text_.resize(at);
        break;
      case 3:
        text_.erase(at, below(9));
        break;
      case 4:
        if (at < text_.size()) text_[at] = static_cast<char>(below(256));
        break;
      default:
        text_.insert(behind_special(), piece());
        break;
    }
  }

  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(draw_() % limit); }

 private:
  const std::string& special() { return specials_[below(specials_.size())]; }

  std::string piece() {
    static const std::string pieces[] = {" ",
                                         "  ",
                                         "\n",
                                         "\n\n",
                                         "hello",
                                         " world",
                                         "Return",
                                         " def f(x):\n",
                                         "import",
                                         "word",
                                         "1234",
                                         "\xCC\x81",
                                         "\xCC\xA7\xCC\x81",
                                         "e",
                                         "\xC3\xA9",
                                         "\xE2\x96\x81",
                                         "\xE6\x97\xA5\xE6\x9C\xAC",
                                         "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                                         "<left",
                                         "<Norm>",
                                         "<norm>",
                                         "EOT",
                                         "<tool_call>",
                                         "'s",
                                         "\xC2\xA0",
                                         "\xFF",
                                         "\xE6\x97"};
    if (below(8) == 0) return special().substr(0, below(special().size()));
    return pieces[below(std::size(pieces))];
  }

  std::size_t behind_special() {
    const auto& wanted = special();
    const auto at = text_.find(wanted, below(text_.size() + 1));
    return at == std::string::npos ? text_.size() : at + wanted.size();
  }

  std::mt19937_64 draw_;
  std::vector<std::string> specials_;
  std::string text_;
};

void check_equal(const encoded_prompt& prompt, const tokenizer& tokens, const std::string& text, tokenizer::encode_options options) {
  const auto whole = tokens.encode(text, options);
  std::vector<core::block_identity> chain;
  hasher.extend(chain, whole);
  CHECK(prompt.tokens == whole);
  CHECK(prompt.chain == chain);
  CHECK(prompt.tokens_kept <= whole.size());
}

}  // namespace

TEST_CASE("an edited history encodes to what the whole text encodes to") {
  for (const std::string kind : test::tokenizer_kinds) {
    const auto tokens = test::load_kind(kind);
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      CAPTURE(kind);
      CAPTURE(seed);
      history past(*tokens, seed);
      prompt_encoder encoder(tokens, hasher);
      tokenizer::encode_options options{seed % 2 == 0, true};
      for (int step = 0; step < 25; ++step) {
        CAPTURE(step);
        if (past.below(12) == 0) options.parse_special_tokens = !options.parse_special_tokens;
        check_equal(encoder.encode(past.text(), options), *tokens, past.text(), options);
        past.below(3) == 0 ? past.append_turn() : past.edit();
      }
    }
  }
}

TEST_CASE("an appended turn keeps the tokens before it") {
  for (const std::string kind : test::tokenizer_kinds) {
    CAPTURE(kind);
    const auto tokens = test::load_kind(kind);
    history past(*tokens, 7);
    for (int turn = 0; turn < 20; ++turn) past.append_turn();
    prompt_encoder encoder(tokens, hasher);
    const auto first = encoder.encode(past.text(), {true, true}).tokens.size();
    CHECK(encoder.last().tokens_kept == 0);
    past.append_turn();
    const auto& prompt = encoder.encode(past.text(), {true, true});
    check_equal(prompt, *tokens, past.text(), {true, true});
    CHECK(prompt.tokens_kept > first / 2);
  }
}

TEST_CASE("only what follows the last special token before the first difference is encoded again") {
  const auto tokens = test::load_kind("qwen2");
  prompt_encoder encoder(tokens, hasher);
  const std::string opening = "<|im_start|>user\nname three fruits<|im_end|>\n";
  const std::string prompt = opening + "<|im_start|>assistant\n";
  encoder.encode(prompt, {});
  const auto& answered = encoder.encode(prompt + "apple, pear, plum<|im_end|>\n<|im_start|>user\n", {});
  CHECK(answered.tokens_kept == tokens->encode(opening, {}).size());
  CHECK(answered.bytes_equal == prompt.size());
  check_equal(answered, *tokens, prompt + "apple, pear, plum<|im_end|>\n<|im_start|>user\n", {});
  const auto size = answered.tokens.size();
  CHECK(encoder.encode(prompt + "apple, pear, plum<|im_end|>\n<|im_start|>user\n", {}).tokens_kept == size);
  CHECK(encoder.encode("<|im_start|>system\n", {}).tokens_kept == 0);
  CHECK(encoder.encode("", {}).tokens.empty());
  CHECK(encoder.last().chain.empty());
}

TEST_CASE("a combining mark behind a special token changes nothing before it") {
  const auto tokens = test::load_kind("qwen2");
  prompt_encoder encoder(tokens, hasher);
  const std::string opening = "<|im_start|>user\n" + std::string("cafe<|im_end|>");
  encoder.encode(opening + "x and then some more", {});
  const auto& marked = encoder.encode(opening + "\xCC\x81 and then some more", {});
  CHECK(marked.tokens_kept == 0);  // too near to the token for the text behind it to be settled
  check_equal(marked, *tokens, opening + "\xCC\x81 and then some more", {});
}

TEST_CASE("a special token that could hide the end of a word is no place to cut") {
  const auto loaded = test::load_content(R"({"model": {"type": "BPE", "vocab": {"f": 0, "o": 1}, "merges": []}, "added_tokens": [
    {"id": 2, "content": "END", "special": true}, {"id": 3, "content": "foo", "single_word": true, "normalized": false}]})");
  REQUIRE(loaded);
  prompt_encoder encoder(*loaded, hasher);
  CHECK(encoder.encode("fooENDfoo foo", {}).tokens == std::vector<token_id>{0, 1, 1, 2, 0, 1, 1, 3});
  const auto spans = (*loaded)->find_specials("fooEND");
  REQUIRE(spans.size() == 1);
  CHECK_FALSE(spans[0].cut);
}
