#include "gateway/conversation_index.hpp"

#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "messages/base/session_scope.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace troupe::gateway;

namespace {

using messages = std::vector<chat_message>;

chat_message says(chat_role role, std::string text) { return {role, {{chat_block::kind::text, std::move(text), {}, {}}}}; }
chat_message thinks(std::string reasoning, std::string text) {
  return {chat_role::assistant, {{chat_block::kind::reasoning, std::move(reasoning), {}, {}}, {chat_block::kind::text, std::move(text), {}, {}}}};
}
chat_message calls(std::string id) { return {chat_role::assistant, {{chat_block::kind::tool_call, "{}", std::move(id), "look"}}}; }
chat_message result(std::string id) { return {chat_role::tool, {{chat_block::kind::tool_result, "seen", std::move(id), {}}}}; }

/// The turn has ended with this answer.
void answer(conversation_index& index, const conversation_index::match& asked, std::string_view text, const std::vector<std::string>& ids = {}) {
  index.answered(asked.session, asked.asked, text, ids);
  index.leave(asked.session);
}

messages operator+(messages before, chat_message next) {
  before.push_back(std::move(next));
  return before;
}

const messages hello{says(chat_role::system, "be brief"), says(chat_role::user, "hello")};

}  // namespace

TEST_CASE("a conversation goes on behind the answer that it was given") {
  conversation_index index(10);
  const auto first = index.find("m", hello, "a"), second = index.find("m", hello, "b");
  CHECK(first.is_new);
  CHECK(first.session.value == "a");
  CHECK(second.is_new);  // the same words, but nobody has answered them yet
  CHECK(second.session.value == "b");
  answer(index, first, "hi A");
  answer(index, second, "hi B");
  const auto on_a = index.find("m", hello + thinks("hm", "hi A") + says(chat_role::user, "more"), "c");
  CHECK_FALSE(on_a.is_new);
  CHECK(on_a.session.value == "a");
  CHECK(index.find("m", hello + says(chat_role::assistant, "hi B") + says(chat_role::user, "more"), "c").session.value == "b");
  CHECK(index.find("other", hello + says(chat_role::assistant, "hi B") + says(chat_role::user, "more"), "c").session.value == "c");
}

TEST_CASE("who answers a call of ours is who was told it, whatever became of the text before") {
  conversation_index index(10);
  const auto asked = index.find("m", hello, "a");
  answer(index, asked, "", {"call_1", "call_2"});
  const messages compacted{says(chat_role::user, "a summary"), calls("call_2"), result("call_2")};
  CHECK(index.find("m", compacted, "b").session.value == "a");
  const messages foreign{says(chat_role::user, "a summary"), calls("call_9"), result("call_9")};
  CHECK(index.find("m", foreign, "b").session.value == "b");
}

TEST_CASE("an answer that the client has edited, and a turn taken back, are known by the messages before") {
  conversation_index index(10);
  const auto asked = index.find("m", hello, "a");
  answer(index, asked, "hi");
  const auto edited = hello + says(chat_role::assistant, "HI") + says(chat_role::user, "more");
  const auto second = index.find("m", edited, "b");
  CHECK(second.session.value == "a");
  answer(index, second, "long");
  CHECK(index.find("m", hello + says(chat_role::assistant, "hi") + says(chat_role::user, "something else"), "c").session.value == "a");
}

TEST_CASE("the session used longest ago is given up, and nothing leads to it any more") {
  conversation_index index(2);
  const auto ask = [&](std::string name) {
    const messages asked{says(chat_role::user, "I am " + name)};
    auto found = index.find("m", asked, name);
    answer(index, found, "hi " + name, {"call " + name});
    return found;
  };
  CHECK(ask("a").ended.empty());
  CHECK(ask("b").ended.empty());
  const messages again{says(chat_role::user, "I am a"), says(chat_role::assistant, "hi a"), says(chat_role::user, "more")};
  const auto on = index.find("m", again, "x");
  CHECK(on.session.value == "a");
  index.leave(on.session);
  CHECK(ask("c").ended == std::vector{session_id{"b"}});
  CHECK(index.size() == 2);
  const messages late{says(chat_role::user, "I am b"), calls("call b"), result("call b")};
  const auto found = index.find("m", late, "b2");
  CHECK(found.is_new);
  CHECK(found.ended == std::vector{session_id{"a"}});
  index.answered({"a"}, 1, "too late", {});
  CHECK(index.size() == 2);
}

TEST_CASE("a tenant's flood of conversations ends its own, and another's stay known") {
  conversation_index index(4);
  const auto ask = [&](const std::string& tenant, const std::string& name) {
    const messages asked{says(chat_role::user, "I am " + name)};
    auto found = index.find(tenant, asked, tenant + " " + name);
    answer(index, found, "hi " + name);
    return found;
  };
  CHECK(ask("mild", "b1").ended.empty());
  CHECK(ask("mild", "b2").ended.empty());
  for (int i = 0; i < 10; ++i) {
    const auto ended = ask("loud", std::to_string(i)).ended;
    CHECK(ended == (i < 2 ? std::vector<session_id>{} : std::vector{scoped_id("loud", {std::to_string(i - 2)})}));
  }
  const messages again{says(chat_role::user, "I am b1"), says(chat_role::assistant, "hi b1"), says(chat_role::user, "more")};
  CHECK(index.find("mild", again, "mild x").session.value == "mild b1");
  CHECK(index.size() == 4);
  CHECK(ask("mild", "b3").ended == std::vector{session_id{"mild b2"}});  // b1 runs; with a third the tenant has most
}

TEST_CASE("a session has so many keys and no more, the oldest go first") {
  conversation_index index(2);
  messages said = hello;
  for (std::size_t turn = 0; turn < limits::conversation_keys_max; ++turn) {
    const auto found = index.find("m", said, "a" + std::to_string(turn));
    CHECK(found.session.value == "a0");
    const auto text = std::to_string(turn);
    answer(index, found, text);
    said = said + says(chat_role::assistant, text) + says(chat_role::user, "on");
  }
  CHECK(index.size() == 1);
  CHECK(index.find("m", hello + says(chat_role::assistant, "0") + says(chat_role::user, "on"), "b").is_new);
}

TEST_CASE("who branches while the conversation runs has a session for each branch, and nobody who runs is given up") {
  conversation_index index(1);
  const auto asked = index.find("m", hello, "a");
  answer(index, asked, "hi");
  const auto one = index.find("m", hello + says(chat_role::assistant, "hi") + says(chat_role::user, "one"), "b");
  CHECK(one.session.value == "a");
  const auto two = index.find("m", hello + says(chat_role::assistant, "hi") + says(chat_role::user, "two"), "b");
  CHECK(two.session.value == "b");
  CHECK(two.is_new);
  CHECK(two.ended.empty());
  CHECK(index.size() == 2);
  index.leave(one.session);
  CHECK(index.find("m", messages{says(chat_role::user, "three")}, "c").ended == std::vector{session_id{"a"}});
}

TEST_CASE("a conversation that is gone on from by its name needs no words that fit, and a name that is in use gets a plus") {
  conversation_index index(10);
  const auto asked = index.find("m", hello, "a");
  answer(index, asked, "hi");
  const auto next = index.find("m", messages{says(chat_role::user, "something else")}, "a");
  CHECK(next.session.value == "a");
  CHECK_FALSE(next.is_new);
  CHECK(index.find("m", messages{says(chat_role::user, "beside it")}, "a").session.value == "a+");
  CHECK(index.find("m", messages{says(chat_role::user, "and that")}, "a").session.value == "a++");
  index.leave(next.session);
  CHECK(index.find("another model", messages{says(chat_role::user, "with another model")}, "a").session.value == "a+++");
  CHECK(index.size() == 4);
}

TEST_CASE("what a client changes in its system message with each request does not make another conversation of it") {
  conversation_index index(10);
  const auto system = [](int left) { return says(chat_role::system, "be brief <total_tokens>" + std::to_string(left) + " left</total_tokens>"); };
  const auto asked = index.find("m", messages{system(9), says(chat_role::user, "hello")}, "a");
  answer(index, asked, "hi");
  const messages next{system(7), says(chat_role::user, "hello"), says(chat_role::assistant, "hi"), says(chat_role::user, "more")};
  CHECK(index.find("m", next, "b").session.value == "a");
}

TEST_CASE("the name of a session that was given up is not given again: it may be dying still") {
  conversation_index index(1);
  const auto asked = index.find("m", hello, "a");
  answer(index, asked, "hi");
  CHECK(index.find("m", messages{says(chat_role::user, "something else")}, "b").ended == std::vector{session_id{"a"}});
  const auto back = index.find("m", messages{says(chat_role::user, "once more")}, "a");
  CHECK(back.is_new);
  CHECK(back.session.value == "a+");
}
