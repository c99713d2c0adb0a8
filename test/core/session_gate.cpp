// Whole sessions against memory: who waits, for whom, how long, and what is given up for those let in.
#include "engine/core/session_gate.hpp"

#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "test/support/scheduler_rig.hpp"

using namespace troupe;
using namespace troupe::core;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// A device of 100 blocks of four tokens.
struct gate_world {
  explicit gate_world(milliseconds wait_max = seconds{10}) : rig({.blocks = 100}), gate({.wait_max = wait_max}, rig.pool) {}

  /// A turn of `blocks` blocks, the expected answer included, that shares nothing.
  sequence_spec turn(std::uint64_t session, std::uint32_t blocks) {
    ++turns;
    auto asked = rig.spec(turns, scheduler_rig::letters(static_cast<token_id>(1000 * turns), std::size_t{blocks} * 4 - 8), 8);
    asked.session = session;
    asked.owner = {session};
    asked.arrival = turns;
    return asked;
  }
  std::vector<std::uint64_t> let_in() {
    std::vector<std::uint64_t> sessions;
    for (const auto& each : gate.take_let_in(now)) sessions.push_back(each.session);
    return sessions;
  }
  std::vector<std::uint64_t> admit(const sequence_spec& asked) {
    gate.admit(asked, now);
    return let_in();
  }
  /// Its turn has ended, and the session rests.
  void answer(const sequence_spec& asked, const session_rest& how = {}) {
    gate.end_turn(asked.id, now);
    gate.rest(asked.owner, asked.tokens.size() + 8, how, now);
  }

  scheduler_rig rig;
  session_gate gate;
  instant now{seconds{1}};
  std::uint64_t turns = 0;
};

using numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a new session waits while those at work leave it no room, and goes when one of them rests") {
  gate_world world;
  const auto first = world.turn(1, 60);
  CHECK(world.admit(first) == numbers{1});
  CHECK(world.admit(world.turn(2, 40)) == numbers{2});  // just fits
  CHECK(world.admit(world.turn(3, 50)) == numbers{});
  CHECK(world.gate.counts().waiting == 1);
  CHECK(world.gate.tokens_waiting() == 192);
  world.gate.end_turn(first.id, world.now);
  CHECK(world.let_in() == numbers{});  // it may be back at once
  world.now += milliseconds{5};
  world.gate.rest(first.owner, 240, {}, world.now);
  CHECK(world.let_in() == numbers{3});
  CHECK(world.gate.counts().waiting == 0);
  CHECK(world.gate.counts().ended_by_room == 1);
  CHECK(world.gate.counts().ended_by_bound == 0);
  CHECK(world.gate.take_demoted() == std::vector<owner_id>{{1}});
}

TEST_CASE("a wait has an end, in the order of arrival") {
  gate_world world{milliseconds{100}};
  CHECK(world.admit(world.turn(1, 90)) == numbers{1});
  CHECK(world.admit(world.turn(2, 50)) == numbers{});
  world.now += milliseconds{40};
  CHECK(world.admit(world.turn(3, 5)) == numbers{});  // nobody overtakes the first
  world.now += milliseconds{59};
  CHECK(world.let_in() == numbers{});
  world.now += milliseconds{1};
  CHECK(world.let_in() == numbers{2});
  world.now += milliseconds{40};
  CHECK(world.let_in() == numbers{3});
  CHECK(world.gate.counts().ended_by_bound == 2);
}

TEST_CASE("with no bound nobody waits and nothing is given up") {
  gate_world world{milliseconds{0}};
  for (std::uint64_t session = 1; session <= 5; ++session) CHECK(world.admit(world.turn(session, 90)) == numbers{session});
  CHECK(world.gate.take_demoted().empty());
  CHECK(world.gate.counts().waiting == 0);
}

TEST_CASE("one that is larger than everything goes when nobody is at work") {
  gate_world world;
  CHECK(world.admit(world.turn(1, 500)) == numbers{1});
}

TEST_CASE("turns of sessions that are known never wait, whatever their history has become") {
  gate_world world;
  CHECK(world.admit(world.turn(1, 60)) == numbers{1});
  CHECK(world.admit(world.turn(2, 40)) == numbers{2});
  CHECK(world.admit(world.turn(1, 80)) == numbers{1});
  auto rewritten = world.turn(2, 30);
  rewritten.owner = {77};
  CHECK(world.admit(rewritten) == numbers{2});
  world.gate.release_owner({2});  // the former owner: its session is not gone
  CHECK(world.admit(world.turn(2, 30)) == numbers{2});
}

TEST_CASE("a released session is a new one") {
  gate_world world;
  const auto turn = world.turn(1, 60);
  CHECK(world.admit(turn) == numbers{1});
  CHECK(world.admit(world.turn(2, 40)) == numbers{2});
  world.gate.release_owner({1});
  CHECK(world.admit(world.turn(3, 60)) == numbers{3});
  CHECK(world.admit(world.turn(1, 60)) == numbers{});
  world.gate.end_turn(turn.id, world.now);  // late, and nobody's
  CHECK(world.let_in() == numbers{});
}

TEST_CASE("an urgent session waits for its equals only, and before the others") {
  gate_world world;
  CHECK(world.admit(world.turn(1, 90)) == numbers{1});
  CHECK(world.admit(world.turn(2, 50)) == numbers{});
  auto urgent = world.turn(3, 60);
  urgent.priority = 5;
  CHECK(world.admit(urgent) == numbers{3});
  auto next = world.turn(4, 60);
  next.priority = 5;
  CHECK(world.admit(next) == numbers{});
  world.gate.release_owner({1});
  world.gate.release_owner({3});
  CHECK(world.let_in() == numbers{4});
}

TEST_CASE("a subagent never waits: its lead waits for it") {
  gate_world world;
  CHECK(world.admit(world.turn(1, 90)) == numbers{1});
  auto subagent = world.turn(2, 50);
  subagent.is_subagent = true;
  CHECK(world.admit(subagent) == numbers{2});
}

TEST_CASE("what is computed ahead of a turn neither waits nor counts") {
  gate_world world;
  auto ahead = world.turn(1, 90);
  ahead.is_ahead = true;
  CHECK(world.admit(ahead) == numbers{1});
  CHECK(world.admit(world.turn(2, 90)) == numbers{2});
  CHECK(world.admit(world.turn(3, 90)) == numbers{});
}

TEST_CASE("a prefix that several sessions share counts once") {
  gate_world world;
  auto lead = world.rig.spec(501, scheduler_rig::letters(0, 161), 8);
  REQUIRE(world.rig.admit(lead));
  REQUIRE(world.rig.run());  // 40 blocks are cached
  lead.session = 1;
  CHECK(world.admit(lead) == numbers{1});
  const auto with_prefix = [&](std::uint64_t session, std::size_t more) {
    auto tokens = scheduler_rig::letters(0, 160);
    const auto own = scheduler_rig::letters(static_cast<token_id>(session * 1000), more);
    tokens.insert(tokens.end(), own.begin(), own.end());
    auto asked = world.rig.spec(600 + session, std::move(tokens), 8);
    asked.session = session;
    asked.owner = {session};
    asked.arrival = session;
    return asked;
  };
  CHECK(world.admit(with_prefix(2, 192)) == numbers{2});  // 90 blocks, 50 of its own; the first has 3 beside what is shared
  CHECK(world.admit(with_prefix(3, 152)) == numbers{3});  // 40 of its own
  CHECK(world.admit(with_prefix(4, 32)) == numbers{});    // 10 of its own
}

TEST_CASE("a session in a tool pause is at work as long as it may be back soon") {
  struct expectation {
    session_rest how;
    seconds counted;
  };
  const std::vector<expectation> cases{{{true, 5, 20}, seconds{20}},     // by its late quantile
                                       {{true, 5, 900}, limits::pause_soon},
                                       {{true, -1, -1}, limits::pause_soon},  // nothing is known of its tool
                                       {{true, 300, 900}, seconds{0}},
                                       {{false, -1, -1}, seconds{0}}};
  for (const auto& each : cases) {
    CAPTURE(each.how.late_s);
    gate_world world{seconds{1000}};
    const auto turn = world.turn(1, 90);
    CHECK(world.admit(turn) == numbers{1});
    world.answer(turn, each.how);
    if (each.counted > seconds{0}) {
      world.now += each.counted - milliseconds{1};
      CHECK(world.admit(world.turn(2, 50)) == numbers{});
      world.now += milliseconds{1};
      CHECK(world.let_in() == numbers{2});
    } else {
      CHECK(world.admit(world.turn(2, 50)) == numbers{2});
    }
  }
}

TEST_CASE("those at rest give up their place, the longest at rest first, and no more than is needed") {
  gate_world world;
  for (std::uint64_t session = 1; session <= 3; ++session) {
    const auto turn = world.turn(session, 30);
    CHECK(world.admit(turn) == numbers{session});
    world.now += seconds{1};
    world.answer(turn);
  }
  CHECK(world.gate.take_demoted().empty());
  CHECK(world.admit(world.turn(4, 30)) == numbers{4});
  CHECK(world.gate.take_demoted() == std::vector<owner_id>{{1}});
  CHECK(world.admit(world.turn(5, 50)) == numbers{5});
  CHECK(world.gate.take_demoted() == std::vector<owner_id>{{2}, {3}});
}

TEST_CASE("a turn that waits can be cancelled, and ends at its deadline") {
  gate_world world;
  CHECK(world.admit(world.turn(1, 90)) == numbers{1});
  const auto cancelled = world.turn(2, 50);
  CHECK(world.admit(cancelled) == numbers{});
  CHECK(world.gate.knows(cancelled.id));
  CHECK(world.gate.cancel(cancelled.id));
  CHECK_FALSE(world.gate.cancel(cancelled.id));
  auto late = world.turn(3, 50);
  late.deadline = world.now + seconds{2};
  CHECK(world.admit(late) == numbers{});
  CHECK(world.gate.take_late(world.now + milliseconds{1999}).empty());
  CHECK(world.gate.take_late(world.now + seconds{2}) == std::vector<request_id>{late.id});
  CHECK(world.gate.size() == 0);
}

TEST_CASE("a session that begins with two turns waits with both and goes with both") {
  gate_world world;
  const auto first = world.turn(1, 90);
  CHECK(world.admit(first) == numbers{1});
  CHECK(world.admit(world.turn(2, 50)) == numbers{});
  CHECK(world.admit(world.turn(2, 5)) == numbers{});
  world.answer(first);
  CHECK(world.let_in() == numbers{2, 2});
}

TEST_CASE("a side call that ends leaves its session as the agent's own turn has left it") {
  gate_world world{seconds{1000}};
  const auto turn = world.turn(1, 90);
  CHECK(world.admit(turn) == numbers{1});
  world.answer(turn, {true, 5, 20});
  const auto title = world.turn(1, 5);
  CHECK(world.admit(title) == numbers{1});
  world.gate.end_turn(title.id, world.now);
  world.gate.rest(title.owner, 20, {.is_side = true, .turn = title.id}, world.now);
  world.now += seconds{19};
  CHECK(world.admit(world.turn(2, 50)) == numbers{});  // its tools are still at work
  world.now += seconds{1};
  CHECK(world.let_in() == numbers{2});
}

TEST_CASE("what is said of a side call does not stand for the agent's own turn, of which nothing is said yet") {
  gate_world world{seconds{1000}};
  const auto turn = world.turn(1, 90), title = world.turn(1, 5);
  CHECK(world.admit(turn) == numbers{1});
  CHECK(world.admit(title) == numbers{1});
  world.gate.end_turn(turn.id, world.now);
  world.gate.end_turn(title.id, world.now);
  world.gate.rest(title.owner, 20, {.is_side = true, .turn = title.id}, world.now);
  CHECK(world.admit(world.turn(2, 50)) == numbers{});
  world.gate.rest(turn.owner, 360, {}, world.now);
  CHECK(world.let_in() == numbers{2});
}

TEST_CASE("a session whose second turn is let in counts once when others must give up their place") {
  gate_world world;
  const auto one = world.turn(1, 50), two = world.turn(2, 40);
  CHECK(world.admit(one) == numbers{1});
  CHECK(world.admit(two) == numbers{2});
  CHECK(world.admit(world.turn(3, 40)) == numbers{});
  CHECK(world.admit(world.turn(3, 40)) == numbers{});
  world.answer(one);
  world.now += seconds{1};
  world.answer(two);
  CHECK(world.let_in() == numbers{3, 3});
  CHECK(world.gate.take_demoted() == std::vector<owner_id>{{1}});  // 40 and 40 stay
}

TEST_CASE("nobody gives up a place for what a newcomer shares with others") {
  gate_world world;
  auto lead = world.rig.spec(501, scheduler_rig::letters(0, 161), 8);
  REQUIRE(world.rig.admit(lead));
  REQUIRE(world.rig.run());  // 40 blocks are cached
  lead.session = 1;
  CHECK(world.admit(lead) == numbers{1});
  world.answer(lead);
  auto tokens = scheduler_rig::letters(0, 160);
  const auto own = scheduler_rig::letters(2000, 232);
  tokens.insert(tokens.end(), own.begin(), own.end());
  auto newcomer = world.rig.spec(502, std::move(tokens), 8);  // 100 blocks, 60 of its own
  newcomer.session = 2;
  newcomer.owner = {2};
  CHECK(world.admit(newcomer) == numbers{2});
  CHECK(world.gate.take_demoted().empty());
}
