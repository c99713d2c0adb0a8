// What verbs and time make of a session, and who is told to free what.
#include <doctest/doctest.h>

#include "actors/session_life.hpp"
#include "messages/base/limits.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using core::finish_reason;

namespace {

std::string release_of(std::uint32_t generation, std::uint32_t incarnation = 1) {
  return "release " + std::to_string(actors::owner_of({"agent"}, incarnation, generation).value);
}

/// A session that has had one turn on one worker.
struct one_worker : session_stage {
  explicit one_worker(actors::session_setup made = {}) : session(start(made.home ? made : setup())), worker(add_worker(1)) {
    std::tie(to, heard) = sink();
    turn(1);
    worker.script->blocks_freed = 3;
    worker.script->heard.clear();
    traced->clear();
    reported->clear();
  }
  void turn(std::uint64_t id) {
    request<request_id>(session, text(id, "x"), to);
    say(worker, started(id, 1, 0));
    say(worker, ended(id, finish_reason::stop));
  }
  actors::session_local_actor session;
  fake_worker_place worker;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

}  // namespace

TEST_CASE("a tool pause and a resume change the state, and a repeat is answered with the first outcome") {
  one_worker stage;
  CHECK(stage.verb(stage.session, "a", verb_kind::tool_pause, {"bash"}).get().outcome == verb_outcome::accepted);
  CHECK(stage.verb(stage.session, "b", verb_kind::resume).get().outcome == verb_outcome::accepted);
  CHECK(*stage.reported == lines{"tool_paused", "idle"});
  CHECK(stage.verb(stage.session, "a", verb_kind::tool_pause, {"bash"}).get().outcome == verb_outcome::accepted);
  CHECK(*stage.reported == lines{"tool_paused", "idle"});
}

TEST_CASE("a tool pause during a turn is deferred to its end, and a resume takes it back") {
  one_worker stage;
  stage.request<request_id>(stage.session, stage.text(2, "x"), stage.to);
  CHECK(stage.verb(stage.session, "a", verb_kind::tool_pause, {"bash"}).get().outcome == verb_outcome::deferred);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.reported->back() == "tool_paused");
  stage.request<request_id>(stage.session, stage.text(3, "x"), stage.to);
  stage.verb(stage.session, "b", verb_kind::tool_pause);
  stage.verb(stage.session, "c", verb_kind::resume);
  stage.say(stage.worker, stage.ended(3, finish_reason::stop));
  CHECK(stage.reported->back() == "idle");
}

TEST_CASE("a demotion asks every worker, a prefetch the last one, and their answers say what became of it") {
  one_worker stage;
  const auto fresh = stage.start(stage.setup("fresh"));
  CHECK(stage.verb(fresh, "f", verb_kind::prefetch).get().outcome == verb_outcome::missing);
  stage.request<request_id>(stage.session, stage.chat(2, "hi"), stage.to);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  stage.worker.script->blocks_freed = 3;
  auto demoted = stage.verb(stage.session, "d", verb_kind::demote).get();
  CHECK(demoted.outcome == verb_outcome::accepted);
  CHECK(demoted.detail == "3 blocks leave the device next");
  CHECK(stage.worker.script->heard.back().starts_with("demote "));
  auto fetched = stage.verb(stage.session, "p", verb_kind::prefetch).get();
  CHECK(fetched.outcome == verb_outcome::accepted);
  CHECK(fetched.detail == "5 of 5 blocks are on the device, 3 came from below");
  CHECK(stage.worker.script->heard.back() == "prefetch 21");
  const auto asked = stage.worker.script->heard.size();
  CHECK(stage.verb(stage.session, "p", verb_kind::prefetch).get() == fetched);
  CHECK(stage.worker.script->heard.size() == asked);
}

TEST_CASE("release gives up the blocks of one owner, and the next turn owns anew") {
  one_worker stage;
  auto released = stage.verb(stage.session, "a", verb_kind::release);
  CHECK(released.get().blocks_freed == 3);
  CHECK(stage.worker.script->heard == lines{release_of(0)});
  CHECK(stage.verb(stage.session, "a", verb_kind::release).get() == released.get());
  stage.verb(stage.session, "b", verb_kind::release);
  CHECK(stage.worker.script->heard == lines{release_of(0), release_of(1)});
  stage.turn(2);
  CHECK(stage.worker.script->admitted.back().owner == actors::owner_of({"agent"}, 1, 2));
}

TEST_CASE("compacted history is released when the next prompt has been admitted, and owns what it shares") {
  one_worker stage;
  auto compacted = stage.verb(stage.session, "a", verb_kind::compact);
  CHECK(compacted.get().outcome == verb_outcome::deferred);
  CHECK(stage.worker.script->heard.empty());
  stage.request<request_id>(stage.session, stage.text(2, "x"), stage.to);
  CHECK(stage.worker.script->admitted.back().owner == actors::owner_of({"agent"}, 1, 1));
  CHECK(stage.worker.script->heard.empty());
  stage.say(stage.worker, stage.started(2, 1, 0));
  CHECK(stage.worker.script->heard == lines{release_of(0)});
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.worker.script->heard == lines{release_of(0)});
}

TEST_CASE("a turn that runs during a compaction keeps its blocks until the next prompt") {
  one_worker stage;
  stage.request<request_id>(stage.session, stage.text(2, "x"), stage.to);
  stage.verb(stage.session, "a", verb_kind::compact);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.worker.script->heard.empty());
  stage.verb(stage.session, "b", verb_kind::die);
  CHECK(stage.worker.script->heard == lines{release_of(0), release_of(1)});
}

TEST_CASE("a repeat that comes while the first verb waits gets the same answer") {
  one_worker stage;
  stage.worker.script->silent = true;
  auto first = stage.verb(stage.session, "a", verb_kind::release);
  auto second = stage.verb(stage.session, "a", verb_kind::release);
  CHECK_FALSE(first.ready());
  stage.advance(limits::release_wait + 10ms, 100ms);
  REQUIRE(first.ready());
  CHECK(first.get().blocks_freed == 0);
  CHECK(second.get() == first.get());
  CHECK(stage.worker.script->heard.size() == 1);
}

TEST_CASE("a death cancels turns, kills children, frees and tells the directory last") {
  one_worker stage;
  auto ended = stage.watch(stage.session);
  auto child_setup = stage.setup("child");
  child_setup.info.parent = {"agent"};
  auto child = stage.start(child_setup);
  stage.tell(stage.session, session_child{{"child"}}, session_kin_actor{child});
  CHECK(stage.request<session_info>(stage.session, session_find{}).get().children == 1);
  auto [to, of_child] = stage.sink();
  stage.request<request_id>(child, stage.text(5, "x"), to);
  stage.request<request_id>(stage.session, stage.text(6, "x"), stage.to);
  stage.reported->clear();
  stage.worker.script->heard.clear();

  auto answer = stage.verb(stage.session, "die", verb_kind::die);
  REQUIRE(answer.ready());
  CHECK(answer.get().blocks_freed == 6);  // three of its own, three of the child's
  CHECK(*of_child == lines{"finished failed cancelled"});
  CHECK(stage.heard->back() == "finished failed cancelled");
  CHECK(stage.reported->back() == "gone agent");
  CHECK(std::count(stage.reported->begin(), stage.reported->end(), "gone child") == 1);
  CHECK(stage.worker.script->heard.size() == 4);  // a cancel and a release each
  CHECK(ended->has_value());
}

TEST_CASE("the final turn's answer is the session's last") {
  one_worker stage;
  auto ended = stage.watch(stage.session);
  auto request = stage.text(2, "x");
  request.hints.final_turn = true;
  stage.request<request_id>(stage.session, request, stage.to);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.heard->back() == "finished stop");
  CHECK(stage.worker.script->heard == lines{release_of(0)});
  CHECK(stage.reported->back() == "gone agent");
  CHECK(ended->has_value());
}

TEST_CASE("an idle session becomes dormant after its ttl and wakes at its next turn") {
  one_worker stage;
  stage.advance(3'599'990ms, 1min);
  CHECK(stage.reported->empty());
  stage.advance(20ms, 10ms);
  CHECK(*stage.reported == lines{"dormant"});
  CHECK(stage.worker.script->heard == lines{release_of(0)});
  CHECK(*stage.traced == lines{"dormant accepted 3"});
  stage.turn(2);
  CHECK(stage.reported->back() == "idle");
  CHECK(stage.worker.script->admitted.back().owner == actors::owner_of({"agent"}, 1, 1));
}

TEST_CASE("a drain waits for running turns, refuses new ones and ends the rest when told") {
  one_worker stage;
  stage.request<request_id>(stage.session, stage.text(2, "x"), stage.to);
  stage.request<request_id>(stage.session, stage.text(3, "x"), stage.to);
  auto drained = stage.request<actors::session_drained>(stage.session, actors::session_drain{false});
  CHECK_FALSE(drained.ready());
  CHECK(stage.request<request_id>(stage.session, stage.text(4, "x"), stage.to).code() == errc::draining);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK_FALSE(drained.ready());
  stage.tell(stage.session, actors::session_drain{true});
  REQUIRE(drained.ready());
  CHECK(drained.get().turns_finished == 1);
  CHECK(drained.get().turns_told == 1);
  CHECK(stage.heard->back() == "finished failed draining");
}

TEST_CASE("a session whose directory died finishes what it has begun and ends") {
  one_worker stage;
  auto ended = stage.watch(stage.session);
  stage.request<request_id>(stage.session, stage.text(2, "x"), stage.to);
  stage.tell(stage.session, actors::session_orphaned{});
  CHECK_FALSE(ended->has_value());
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.heard->back() == "finished stop");
  CHECK(ended->has_value());
}

TEST_CASE("a pause is measured from its first announcement to the next turn") {
  actors::session_life life{session_info{{"agent"}, {}, {}}};
  life.apply({{"agent"}, "a", verb_kind::tool_pause, 0, {"bash"}}, 1'000);
  life.apply({{"agent"}, "b", verb_kind::tool_pause, 0, {}}, 3'000);
  life.turn_begins({1}, 9'500);
  CHECK(life.last_pause_ms() == 8'500);
  CHECK(life.state() == session_state::generating);
}

TEST_CASE("the stores keep what a session pinned while it rests, until it wishes anew or dies") {
  for (const bool dies : {false, true}) {
    CAPTURE(dies);
    session_stage stage;
    auto worker = stage.add_worker(1);
    auto releases = std::make_shared<std::vector<owner_release>>();
    const auto tier = [releases](caf::event_based_actor*) -> caf::behavior {
      return {[releases](const owner_release& release) {
        releases->push_back(release);
        return owner_released{};
      }};
    };
    stage.services.tiers.push_back(caf::actor_cast<tier_actor>(stage.spawn(tier)));
    auto setup = stage.setup();
    setup.idle_ttl = 10s;
    const auto session = stage.start(setup);
    const auto [to, heard] = stage.sink();
    const auto turn = [&, to = to](std::uint64_t id) {
      stage.request<request_id>(session, stage.text(id, "x"), to);
      stage.say(worker, stage.started(id, 1, 0));
      stage.say(worker, stage.ended(id, finish_reason::stop));
    };
    turn(1);
    stage.request<verb_answer>(session, session_verb{{"agent"}, "p", verb_kind::pin, 0, {}, 60'000});
    stage.advance(11s, 1s);
    const auto owner = actors::owner_of({"agent"}, 1, 0);
    REQUIRE(releases->size() == 1);
    CHECK(releases->at(0) == owner_release{owner, true, core::eviction_cause::ttl});
    if (dies)
      stage.verb(session, "die", verb_kind::die);
    else
      turn(2);
    REQUIRE(releases->size() == (dies ? 3 : 2));
    CHECK(releases->at(1) == owner_release{owner, false, core::eviction_cause::superseded});
    if (!dies) turn(3);
    CHECK(releases->size() == (dies ? 3 : 2));
  }
}

namespace {

/// A parent and a child under it whose prompts begin with a system message of two blocks and more.
struct family : session_stage {
  family() : worker(add_worker(1)), lead(start(setup())) { std::tie(to, heard) = sink(); }
  actors::session_local_actor bear(const std::string& id) {
    auto made = setup(id);
    made.info.parent = {"agent"};
    made.parent = caf::actor_cast<actors::session_parent_actor>(lead);
    auto child = start(made);
    tell(lead, session_child{{id}}, session_kin_actor{child});
    return child;
  }
  void run_turn(const actors::session_local_actor& whom, std::uint64_t id) {
    auto asked = chat(id, "question");
    asked.prompt.messages.insert(asked.prompt.messages.begin(), {chat_role::system, {{chat_block::kind::text, "rules", {}, {}}}});
    request<request_id>(whom, asked, to);
    say(worker, started(id, 40, 0));
    say(worker, ended(id, finish_reason::stop));
  }
  owner_release last_release() { return worker.script->released.back(); }

  fake_worker_place worker;
  actors::session_local_actor lead;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

const owner_id heir_of_agent = actors::owner_of({"agent"}, 1, UINT32_MAX);

}  // namespace

TEST_CASE("a dead subagent leaves the begin of its prompts to its parent, whose end frees it") {
  family stage;
  const auto child = stage.bear("child");
  stage.run_turn(child, 1);
  CHECK(stage.request<verb_answer>(child, session_verb{{"child"}, "end", verb_kind::die}).get().outcome == verb_outcome::accepted);
  const auto left = stage.last_release();
  CHECK(left.owner == actors::owner_of({"child"}, 1, 0));
  CHECK(left.heir == heir_of_agent);
  // "<|im_start|>system\nrules" are 13 tokens: three blocks of four.
  const auto& chain = stage.worker.script->admitted[0].chain;
  CHECK(left.head == std::vector(chain.begin(), chain.begin() + 3));
  stage.worker.script->released.clear();
  stage.verb(stage.lead, "end", verb_kind::die);
  const auto& released = stage.worker.script->released;
  CHECK(std::ranges::count(released, heir_of_agent, &owner_release::owner) == 2);  // and once more for a child that dies meanwhile
  CHECK(std::ranges::all_of(released, [](const auto& each) { return each.head.empty(); }));
}

TEST_CASE("nobody inherits from a root, from a prompt without a system message, or for a parent that is dead or silent") {
  family stage;
  stage.run_turn(stage.lead, 1);
  const auto plain = stage.bear("plain"), late = stage.bear("late");
  stage.request<request_id>(plain, stage.text(2, "some words of a prompt"), stage.to);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  stage.run_turn(late, 3);
  stage.request<verb_answer>(plain, session_verb{{"plain"}, "end", verb_kind::die});
  CHECK(stage.last_release().owner == actors::owner_of({"plain"}, 1, 0));
  CHECK(stage.last_release().head.empty());
  stage.verb(stage.lead, "end", verb_kind::die);  // takes the other child along, which finds it dead
  const auto& released = stage.worker.script->released;
  CHECK(std::ranges::count(released, actors::owner_of({"late"}, 1, 0), &owner_release::owner) == 1);
  CHECK(std::ranges::all_of(released, [](const auto& each) { return each.head.empty() && each.heir.value == 0; }));
  CHECK(stage.reported->back() == "gone agent");
}

TEST_CASE("a parent that knows another incarnation of the worker frees what it has inherited on both") {
  family stage;
  stage.run_turn(stage.lead, 1);
  auto restarted = stage.add_worker(1);  // the same id
  stage.routes->grants.erase(stage.routes->grants.begin());
  const auto child = stage.bear("child");
  auto asked = stage.chat(2, "question");
  asked.prompt.messages.insert(asked.prompt.messages.begin(), {chat_role::system, {{chat_block::kind::text, "rules", {}, {}}}});
  stage.request<request_id>(child, asked, stage.to);
  stage.say(restarted, stage.started(2, 40, 0));
  stage.say(restarted, stage.ended(2, finish_reason::stop));
  stage.request<verb_answer>(child, session_verb{{"child"}, "end", verb_kind::die});
  REQUIRE(restarted.script->released.size() == 1);
  CHECK(restarted.script->released[0].heir == heir_of_agent);
  stage.verb(stage.lead, "end", verb_kind::die);
  for (const auto& script : {stage.worker.script, restarted.script})
    CHECK(std::ranges::count(script->released, heir_of_agent, &owner_release::owner) == 2);
}

TEST_CASE("a subagent that has bounded where its context may be kept leaves nothing") {
  for (const bool by_tier : {true, false}) {
    family stage;
    const auto child = stage.bear("child");
    auto asked = stage.chat(1, "question");
    asked.prompt.messages.insert(asked.prompt.messages.begin(), {chat_role::system, {{chat_block::kind::text, "rules", {}, {}}}});
    if (by_tier)
      asked.hints.max_tier = core::tier_level::device;
    else
      asked.hints.cache_ttl_ms = 60'000;
    stage.request<request_id>(child, asked, stage.to);
    stage.say(stage.worker, stage.started(1, 40, 0));
    stage.say(stage.worker, stage.ended(1, finish_reason::stop));
    stage.request<verb_answer>(child, session_verb{{"child"}, "end", verb_kind::die});
    CHECK(stage.last_release().owner == actors::owner_of({"child"}, 1, 0));
    CHECK(stage.last_release().head.empty());
  }
}

TEST_CASE("what a compaction gives up leaves the begin of the prompts to the session itself") {
  family stage;
  stage.run_turn(stage.lead, 1);
  stage.verb(stage.lead, "a", verb_kind::compact);
  stage.request<request_id>(stage.lead, stage.text(2, "another prompt"), stage.to);
  stage.say(stage.worker, stage.started(2, 14, 0));
  CHECK(stage.last_release().owner == actors::owner_of({"agent"}, 1, 0));
  CHECK(stage.last_release().heir == actors::owner_of({"agent"}, 1, 1));
  CHECK(stage.last_release().cause == core::eviction_cause::compaction);
  CHECK(stage.last_release().head.size() == 3);
}
