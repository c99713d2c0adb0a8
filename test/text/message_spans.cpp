#include "engine/text/message_spans.hpp"

#include <doctest/doctest.h>

#include "test/support/byte_tokenizer.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace troupe::text;

TEST_CASE("pieces are found in order, trimmed as templates do, and what was left out has no span") {
  const std::vector<chat_message> messages{
      {chat_role::system, {{chat_block::kind::text, "be kind", {}, {}}}},
      {chat_role::user, {{chat_block::kind::text, " be \n", {}, {}}, {chat_block::kind::text, "", {}, {}}}},
      {chat_role::assistant, {{chat_block::kind::reasoning, "stripped", {}, {}}, {chat_block::kind::text, "ok", {}, {}}}}};
  const std::string rendered = "<s>be kind</s><u>be</u><a>ok</a>";
  const auto spans = find_spans(messages, rendered);
  REQUIRE(spans.size() == 3);
  CHECK(spans[0] == message_span{0, 0, 3, 10});
  CHECK(spans[1] == message_span{1, 0, 17, 19});  // not the "be" of the first message
  CHECK(spans[2] == message_span{2, 1, 26, 28});
}

TEST_CASE("bytes of a text are counted in whole tokens") {
  const auto tokenizer = test::byte_tokenizer::make();
  const std::string text = "<|im_start|>user";
  const auto tokens = tokenizer->encode(text, {.add_special_tokens = false, .parse_special_tokens = true});
  REQUIRE(tokens.size() == 5);
  CHECK(tokens_within(tokens, *tokenizer, 0) == 0);
  CHECK(tokens_within(tokens, *tokenizer, 11) == 0);
  CHECK(tokens_within(tokens, *tokenizer, 12) == 1);
  CHECK(tokens_within(tokens, *tokenizer, 14) == 3);
  CHECK(tokens_within(tokens, *tokenizer, 1000) == 5);
}
