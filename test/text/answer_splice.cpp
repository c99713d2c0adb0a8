#include "engine/text/answer_splice.hpp"

#include <doctest/doctest.h>

#include "engine/text/answer_content.hpp"
#include "test/text/tokenizer_files.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

const std::string begin = "<|im_start|>user\nlook<|im_end|>\n<|im_start|>assistant\n";
const std::string spelled = "<tool_call>\n{\"name\":\"look\",\"arguments\":{\"b\":1,\"a\":\"x\"}}\n</tool_call>";
const std::string written = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"b\": 1, \"a\": \"x\"}}\n</tool_call>";
const std::string result = "<|im_end|>\n<|im_start|>user\nseen<|im_end|>\n<|im_start|>assistant\n";
const answer_options parsed{.tool_format = "hermes", .parse_reasoning = true};

/// The built-in model's tokens, an encoder, and a splice before it, as a session has them.
struct repeating {
  repeating() {
    const char* source = std::getenv("TROUPE_SOURCE");
    tokens = *tokenizer::load(std::filesystem::path(source ? source : ".") / "configs/models/builtin/tokenizer.json");
    encoder.emplace(tokens, core::block_hasher(42, 4));
    splice.emplace(tokens);
  }
  [[nodiscard]] std::vector<token_id> encode(std::string_view text) const { return tokens->encode(text, {false, true}); }
  /// Cut otherwise than a tokenizer would: byte by byte, but for special tokens.
  [[nodiscard]] std::vector<token_id> generate(const std::string& text) const {
    std::vector<token_id> generated;
    std::size_t at = 0;
    const auto up_to = [&](std::size_t end) {
      for (; at < end; ++at)
        for (const auto token : encode(text.substr(at, 1))) generated.push_back(token);
    };
    for (const auto& special : tokens->find_specials(text)) {
      up_to(special.begin);
      generated.push_back(special.token);
      at = special.end;
    }
    up_to(text.size());
    return generated;
  }
  std::vector<token_id> prompt(const std::string& rendered) {
    text = splice->apply(rendered);
    return encoder->encode(text, {false, true}, splice->forced()).tokens;
  }
  void answer(const std::vector<token_id>& generated) { splice->remember(generated, {end}, parsed); }

  std::shared_ptr<const tokenizer> tokens;
  std::optional<prompt_encoder> encoder;
  std::optional<answer_splice> splice;
  std::string text;
  token_id end = 0;
};

std::vector<token_id> operator+(std::vector<token_id> left, const std::vector<token_id>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace

TEST_CASE("a call that the model has spelled its own way is repeated as it was generated, in every prompt to come") {
  repeating world;
  world.end = *world.tokens->find("<|im_end|>");
  const auto first = world.prompt(begin);
  const auto generated = world.generate(spelled);
  REQUIRE(generated != world.encode(spelled));
  world.answer(generated + std::vector{world.end});
  const auto second = world.prompt(begin + written + result);
  CHECK(world.text == begin + spelled + result);
  CHECK(second == first + generated + world.encode(result));
  world.answer(world.encode("done"));  // as a tokenizer would: nothing to remember
  const std::string more = "<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n";
  CHECK(world.prompt(begin + written + result + "done" + more) == second + world.encode("done" + more));
  CHECK(world.splice->answers() == 1);
}

TEST_CASE("the same text in other tokens keeps the tokens that were generated") {
  repeating world;
  world.end = *world.tokens->find("<|im_end|>");
  const auto first = world.prompt(begin);
  const auto generated = world.generate("all is well");
  world.answer(generated);
  CHECK(world.prompt(begin + "all is well" + result) == first + generated + world.encode(result));
}

TEST_CASE("what says something else is not replaced: other arguments, reasoning that was left out, an edited text, no end") {
  const std::string thought = "<think>\nhm\n</think>\n\n";
  const struct {
    std::string answer, history;
  } cases[] = {{spelled, "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"b\": 2, \"a\": \"x\"}}\n</tool_call>"},
               {spelled, "<tool_call>\n{\"name\": \"see\", \"arguments\": {\"b\": 1, \"a\": \"x\"}}\n</tool_call>"},
               {thought + "yes", "yes"},
               {"yes", "no"}};
  for (const auto& each : cases) {
    CAPTURE(each.answer);
    repeating world;
    world.end = *world.tokens->find("<|im_end|>");
    world.prompt(begin);
    world.answer(world.generate(each.answer));
    CHECK(world.prompt(begin + each.history + result) == world.encode(begin + each.history + result));
    CHECK(world.splice->answers() == 0);
  }
  repeating open;
  open.end = *open.tokens->find("<|im_end|>");
  open.prompt(begin);
  open.answer(open.generate(spelled));
  CHECK(open.prompt(begin + written) == open.encode(begin + written));
}

TEST_CASE("a history that is rewritten before an answer loses it, and those before that stay") {
  repeating world;
  world.end = *world.tokens->find("<|im_end|>");
  const auto first = world.prompt(begin);
  const auto generated = world.generate(spelled), later = world.generate("fine");
  world.answer(generated);
  world.prompt(begin + written + result);
  world.answer(later);
  world.prompt(begin + written + result + "fine" + result);
  CHECK(world.splice->answers() == 2);
  const std::string other = "<|im_end|>\n<|im_start|>user\nother<|im_end|>\n<|im_start|>assistant\n";
  CHECK(world.prompt(begin + written + other + "fine" + result) == first + generated + world.encode(other + "fine" + result));
  CHECK(world.splice->answers() == 1);
  CHECK(world.prompt(begin + written + " and more" + result) == world.encode(begin + written + " and more" + result));
  CHECK(world.splice->answers() == 0);
  CHECK(world.prompt("<|im_start|>user\nanew<|im_end|>\n") == world.encode("<|im_start|>user\nanew<|im_end|>\n"));
  CHECK(world.splice->answers() == 0);
}

TEST_CASE("contents are the same whatever the spelling of their JSON") {
  const answer_content one{"hm", "yes", {{"f", R"({"a":1,"b":[true]})"}}};
  CHECK(says_the_same(one, {"hm\n", " yes", {{"f", "{ \"b\": [true], \"a\": 1 }"}}}));
  CHECK_FALSE(says_the_same(one, {"hm", "yes", {{"f", R"({"a":1,"b":[false]})"}}}));
  CHECK_FALSE(says_the_same(one, {"hm", "yes", {}}));
  CHECK_FALSE(says_the_same(one, {"", "yes", one.calls}));
  CHECK(says_the_same({"", "", {{"f", "{cut"}}}, {"", "", {{"f", "{cut"}}}));
  CHECK_FALSE(says_the_same({"", "", {{"f", "{cut"}}}, {"", "", {{"f", "{cut "}}}));
}
