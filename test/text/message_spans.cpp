#include "engine/text/message_spans.hpp"

#include <doctest/doctest.h>

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

TEST_CASE("short arguments are found behind their tool's name and nowhere else") {
  const std::vector<chat_message> messages{
      {chat_role::assistant, {{chat_block::kind::tool_call, "{}", "1", "list"}, {chat_block::kind::tool_call, "{\"a\":1}", "2", "list"}}},
      {chat_role::tool, {{chat_block::kind::tool_result, "{} is empty", "1", {}}}}};
  const std::string rendered = R"(<a>{"name": "list", "arguments": {}}{"name": "list", "arguments": {"a": 1}}</a><r>{} is empty</r>)";
  const auto spans = find_spans(messages, rendered);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0] == message_span{0, 0, rendered.find("{}"), rendered.find("{}") + 2});
  CHECK(spans[1] == message_span{1, 0, rendered.find("{} is"), rendered.find("{} is") + 11});
}

TEST_CASE("reasoning that was left out is not found in somebody else's words") {
  const std::vector<chat_message> messages{
      {chat_role::assistant, {{chat_block::kind::reasoning, "more", {}, {}}, {chat_block::kind::tool_call, "{}", "1", "list"}}},
      {chat_role::tool, {{chat_block::kind::tool_result, "two", "1", {}}}},
      {chat_role::user, {{chat_block::kind::text, "one more", {}, {}}}}};
  CHECK(find_spans(messages, "<r>two</r><u>one more</u>") == std::vector<message_span>{{1, 0, 3, 6}, {2, 0, 13, 21}});
  CHECK(find_spans(messages, "<t>more</t><r>two</r><u>one more</u>").size() == 3);
}

TEST_CASE("a search goes on where it is told to") {
  const std::vector<chat_message> messages{{chat_role::user, {{chat_block::kind::text, "be", {}, {}}}},
                                           {chat_role::user, {{chat_block::kind::text, "be", {}, {}}}}};
  CHECK(find_spans(messages, "be be", {1, 0, 2}) == std::vector<message_span>{{1, 0, 3, 5}});
  CHECK(find_spans(messages, "be be", {0, 1, 2}) == std::vector<message_span>{{1, 0, 3, 5}});
  CHECK(find_spans(messages, "be be", {2, 0, 5}).empty());
}
