// What a session wishes and forgets, as plain objects, and how wishes reach the worker.
#include <doctest/doctest.h>

#include "actors/session_history.hpp"
#include "actors/session_wishes.hpp"
#include "messages/base/limits.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using actors::session_history;
using actors::session_wishes;
using core::finish_reason;

namespace {

std::vector<core::block_identity> chain_of(std::initializer_list<std::uint64_t> hashes) {
  std::vector<core::block_identity> chain;
  for (const auto hash : hashes) chain.push_back({{hash, hash}, hash});
  return chain;
}

session_verb verb_of(verb_kind what, std::uint32_t ttl_ms, std::uint32_t begin = 0, std::uint32_t end = 0) {
  session_verb verb;
  verb.id = "v";
  verb.what = what;
  verb.ttl_ms = ttl_ms;
  verb.token_begin = begin;
  verb.token_end = end;
  return verb;
}

chat_message message(chat_role role, std::string text, std::string reasoning = "") {
  chat_message made{role, {}};
  if (!reasoning.empty()) made.blocks.push_back({chat_block::kind::reasoning, std::move(reasoning), {}, {}});
  made.blocks.push_back({chat_block::kind::text, std::move(text), {}, {}});
  return made;
}

}  // namespace

TEST_CASE("wishes about tokens become wishes about the whole blocks within them") {
  session_wishes wishes;
  CHECK_FALSE(wishes.concerns_holders(0s));
  CHECK(wishes.take(verb_of(verb_kind::pin, 1000), 0s).outcome == verb_outcome::accepted);
  wishes.take({{4, 11, 80, 500}}, 0s);
  CHECK(wishes.concerns_holders(0s));
  const auto intent = wishes.intent({7}, chain_of({1, 2, 3, 4}), 4, 0s);
  CHECK(intent.owner == owner_id{7});
  REQUIRE(intent.wishes.size() == 2);
  CHECK(intent.wishes[0] == core::retention_wish{chain_of({4})[0], 4, core::rank_pinned, 1000});
  CHECK(intent.wishes[1] == core::retention_wish{chain_of({2})[0], 1, 80, 500});  // tokens 4 to 11 hold block 1 whole
}

TEST_CASE("a wish ends by itself or by a ttl of 0, and holders hear of that once") {
  session_wishes wishes;
  wishes.take(verb_of(verb_kind::pin, 1000), 0s);
  CHECK(wishes.intent({7}, chain_of({1}), 4, 400ms).wishes[0].ttl_ms == 600);
  CHECK(wishes.concerns_holders(2s));
  const auto ended = wishes.intent({7}, chain_of({1}), 4, 2s);
  CHECK(ended.wishes.empty());
  CHECK(ended.generation == 2);
  CHECK_FALSE(wishes.concerns_holders(2s));
  wishes.take(verb_of(verb_kind::retain, 5000), 2s);
  wishes.take(verb_of(verb_kind::retain, 0), 2s);
  CHECK_FALSE(wishes.concerns_holders(2s));
}

TEST_CASE("what goes beyond the limits is clipped, and an empty range rejected") {
  session_wishes wishes;
  CHECK(wishes.take(verb_of(verb_kind::pin, UINT32_MAX), 0s).outcome == verb_outcome::clipped);
  CHECK(wishes.intent({1}, chain_of({1}), 4, 0s).wishes[0].ttl_ms == 3'600'000);
  CHECK(wishes.take(verb_of(verb_kind::retain, 1000, 8, 4), 0s).outcome == verb_outcome::rejected);
  auto heavy = verb_of(verb_kind::retain, 1000);
  heavy.priority = 101;
  CHECK(wishes.take(heavy, 0s).outcome == verb_outcome::clipped);
  for (std::uint32_t i = 0; i < 2 * limits::wishes_per_session_max; ++i) wishes.take(verb_of(verb_kind::retain, 1000, 4 * i, 4 * i + 4), 0s);
  const std::vector<core::block_identity> chain(1000, chain_of({1})[0]);
  CHECK(wishes.intent({1}, chain, 4, 0s).wishes.size() == limits::wishes_per_session_max);
}

TEST_CASE("a conversation that goes on leaves behind what it no longer shares") {
  session_history history;
  const std::vector<chat_message> before{message(chat_role::system, "s"), message(chat_role::user, "u")};
  history.remember({1}, before, chain_of({1, 2, 3, 4}));
  auto next = before;
  next.push_back(message(chat_role::assistant, "a"));
  next.push_back(message(chat_role::tool, "r"));
  CHECK(history.left_behind({1}, next, chain_of({1, 2, 3, 4, 5})).blocks.empty());
  const auto rewritten = history.left_behind({1}, next, chain_of({1, 2, 9}));
  CHECK(rewritten.blocks == chain_of({3, 4}));
  CHECK(rewritten.cause == core::eviction_cause::superseded);
  next.push_back(message(chat_role::user, "v"));
  CHECK(history.left_behind({1}, next, chain_of({1, 9})).cause == core::eviction_cause::rewind);
  CHECK(history.left_behind({2}, next, chain_of({1, 9})).blocks.empty());  // another owner: released as a whole
}

TEST_CASE("another conversation under the same name leaves nothing behind, and reasoning does not make another") {
  session_history history;
  const std::vector<chat_message> before{message(chat_role::user, "u"), message(chat_role::assistant, "a", "think")};
  history.remember({1}, before, chain_of({1, 2, 3}));
  const std::vector<chat_message> other{message(chat_role::user, "x"), message(chat_role::user, "y")};
  CHECK(history.left_behind({1}, other, chain_of({7})).blocks.empty());
  CHECK(history.left_behind({1}, std::span(before).first(1), chain_of({1})).blocks.empty());
  std::vector<chat_message> stripped{message(chat_role::user, "u"), message(chat_role::assistant, "a"), message(chat_role::user, "v")};
  CHECK(history.left_behind({1}, stripped, chain_of({1, 8})).blocks == chain_of({2, 3}));
  history.remember({1}, {}, chain_of({1, 2, 3}));  // text or tokens: nothing says that it goes on
  CHECK(history.left_behind({1}, {}, chain_of({1})).blocks.empty());
}

TEST_CASE("a pin reaches the worker at once, is told again ahead of each turn, and says what was clipped") {
  session_stage stage;
  auto worker = stage.add_worker(1);
  const auto session = stage.start(stage.setup());
  const auto [to, heard] = stage.sink();
  CHECK(stage.request<verb_answer>(session, verb_of(verb_kind::pin, 60'000)).get().outcome == verb_outcome::deferred);
  stage.request<request_id>(session, stage.chat(1, "hi"), to);
  REQUIRE(worker.script->intents.size() == 1);
  CHECK(worker.script->intents[0].wishes.size() == 1);
  CHECK(worker.script->intents[0].wishes[0].blocks == 5);
  CHECK(worker.script->intents[0].owner == worker.script->admitted[0].owner);
  stage.say(worker, stage.ended(1, finish_reason::stop));
  worker.script->applied.blocks_clipped = 3;
  auto again = verb_of(verb_kind::retain, 60'000);
  again.id = "w";
  const auto clipped = stage.request<verb_answer>(session, again);
  CHECK(clipped.get().outcome == verb_outcome::clipped);
  CHECK(clipped.get().detail == "3 blocks find no room among the pinned ones");
  CHECK(worker.script->intents.back().wishes.size() == 2);
  CHECK(worker.script->intents.back().generation == 2);
}

TEST_CASE("a context with a time of its own leaves every holder when that has passed, and stays above disk and remote") {
  session_stage stage;
  auto worker = stage.add_worker(1);
  const auto session = stage.start(stage.setup());
  const auto [to, heard] = stage.sink();
  auto asked = stage.text(1, "x");
  asked.hints.cache_ttl_ms = 3000;
  stage.request<request_id>(session, asked, to);
  CHECK(worker.script->admitted[0].max_tier == core::tier_level::host);
  stage.say(worker, stage.ended(1, finish_reason::stop));
  stage.advance(2900ms, 100ms);
  CHECK(worker.script->heard.empty());
  stage.advance(200ms, 100ms);
  CHECK(worker.script->heard == lines{"release " + std::to_string(worker.script->admitted[0].owner.value)});
}

TEST_CASE("what verbs wish is written when it changes, and with a reserve of generations, not with each turn") {
  session_stage stage;
  auto worker = stage.add_worker(1);
  const auto session = stage.start(stage.setup());
  const auto [to, heard] = stage.sink();
  const auto turn = [&, to = to](std::uint64_t id) {
    stage.request<request_id>(session, stage.chat(id, "hi"), to);
    stage.say(worker, stage.ended(id, finish_reason::stop));
  };
  turn(1);
  CHECK(stage.kept->empty());  // it wishes nothing
  stage.request<verb_answer>(session, verb_of(verb_kind::pin, 3'000'000, 0, 64));
  REQUIRE(stage.kept->size() == 1);
  const auto& first = stage.kept->front();
  CHECK(first.id == session_id{"agent"});
  CHECK(first.incarnation == 1);
  CHECK(first.generation == limits::intent_generations_ahead);
  REQUIRE(first.wishes.size() == 1);
  CHECK(first.wishes[0].token_end == 64);
  CHECK(first.wishes[0].rank == core::rank_pinned);
  for (std::uint64_t id = 2; id <= limits::intent_generations_ahead / 2; ++id) turn(id);
  CHECK(stage.kept->size() == 1);
  turn(1000);
  REQUIRE(stage.kept->size() == 2);  // half of the reserve has been told
  CHECK(stage.kept->back().generation > worker.script->intents.back().generation + limits::intent_generations_ahead / 2);
  CHECK(stage.kept->back().wishes == stage.kept->front().wishes);
  auto end = verb_of(verb_kind::pin, 0, 0, 64);
  end.id = "end";
  stage.request<verb_answer>(session, end);
  REQUIRE(stage.kept->size() == 3);
  CHECK(stage.kept->back().wishes.empty());
}

TEST_CASE("kept wishes come back with what is left of them, and never with more than a wish may last") {
  session_wishes before;
  before.take(verb_of(verb_kind::pin, 1000), 5s);
  before.take(verb_of(verb_kind::retain, 9000, 4, 8), 5s);
  before.take({{0, 4, 80, 60'000}}, 5s);  // a request's: the next one says it again
  const auto record = before.take_record(5s, 100'000);
  REQUIRE(record);
  REQUIRE(record->wishes.size() == 2);
  CHECK(record->wishes[0] == kept_wish{0, 0, core::rank_pinned, 101'000});
  CHECK(record->wishes[1] == kept_wish{4, 8, 60, 109'000});
  CHECK_FALSE(before.take_record(5s, 100'000));
  session_wishes after{*record, 0s, 102'000};
  const auto intent = after.intent({7}, chain_of({1, 2}), 4, 0s);
  REQUIRE(intent.wishes.size() == 1);
  CHECK(intent.wishes[0] == core::retention_wish{chain_of({2})[0], 1, 60, 7000});
  CHECK(intent.generation == record->generation + 1);
  session_wishes set_back{*record, 0s, -10'000'000};
  CHECK(set_back.intent({7}, chain_of({1, 2}), 4, 0s).wishes[0].ttl_ms == 3'600'000);
}
