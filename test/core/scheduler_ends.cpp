// How sequences end, are refused, and give way: stops, cancels, deadlines, failed steps, preemption.
#include <doctest/doctest.h>

#include "engine/core/scheduler.hpp"
#include "test/support/scheduler_rig.hpp"

using namespace troupe;
using namespace troupe::core;

TEST_CASE("a stop token ends the answer, is not part of it, and the step already in flight is discarded") {
  scheduler_rig rig;
  auto asked = rig.spec(1, scheduler_rig::letters(10, 6), 20);
  const auto free_run = rig.alone(asked).first;
  asked.stop_tokens = {free_run[2]};
  const auto [expected, reason] = rig.alone(asked);
  REQUIRE(reason == finish_reason::stop);
  REQUIRE(rig.admit(asked));
  while (!rig.answers[1].reason) {
    while (rig.plan_one()) {
    }
    REQUIRE(rig.complete_one());
  }
  CHECK(rig.answers[1].tokens == expected);
  CHECK(rig.answers[1].reason == finish_reason::stop);
  if (rig.backend.in_flight() > 0) {  // it still names the blocks
    CHECK(rig.pool.counts().leased > 0);
    CHECK_FALSE(rig.sched.idle());
  }
  CHECK(rig.fault() == "");
  REQUIRE(rig.run());
  CHECK(rig.pool.counts().leased == 0);
  CHECK(rig.answers[1].tokens == expected);
  CHECK(rig.fault() == "");
}

TEST_CASE("a stop token is an ordinary token before tokens_min") {
  scheduler_rig rig;
  auto asked = rig.spec(1, scheduler_rig::letters(10, 6), 6);
  const auto free_run = rig.alone(asked).first;
  asked.stop_tokens = free_run;
  asked.tokens_min = 4;
  REQUIRE(rig.admit(asked));
  REQUIRE(rig.run());
  CHECK(rig.answers[1].tokens == std::vector(free_run.begin(), free_run.begin() + 4));
  CHECK(rig.answers[1].reason == finish_reason::stop);
}

TEST_CASE("a cancelled sequence ends at once, keeps its blocks until its tickets complete, and publishes nothing more") {
  scheduler_rig rig;
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(10, 12), 5)));
  REQUIRE(rig.plan_one());
  rig.cancel(1);
  CHECK(rig.answers[1].reason == finish_reason::cancelled);
  CHECK(rig.answers[1].error.code == errc::cancelled);
  CHECK(rig.pool.counts().leased == 3);
  rig.cancel(1);  // unknown by now
  rig.cancel(77);
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 4), 1)));
  rig.cancel(2);  // while it waits
  CHECK(rig.answers[2].reason == finish_reason::cancelled);
  CHECK_FALSE(rig.answers[2].started);
  CHECK(rig.fault() == "");
  REQUIRE(rig.complete_one());
  CHECK(rig.pool.counts().free == 64);
  CHECK(rig.sched.idle());
  CHECK(rig.fault() == "");
}

TEST_CASE("deadlines end waiting and running sequences when a step is planned") {
  rig_options options;
  options.scheduling.running_max = 1;
  scheduler_rig rig(options);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    auto asked = rig.spec(id, scheduler_rig::letters(static_cast<token_id>(10 * id), 4), 30);
    asked.deadline = instant(id == 3 ? 0 : 100 * id);
    REQUIRE(rig.admit(asked));
  }
  REQUIRE(rig.plan_one());
  rig.now = instant(99);
  REQUIRE(rig.plan_one());
  CHECK(rig.ended.empty());
  rig.now = instant(100);
  CHECK_FALSE(rig.plan_one());
  CHECK(rig.ended == std::vector<std::uint64_t>{1});
  CHECK(rig.answers[1].error.code == errc::deadline_exceeded);
  rig.now = instant(200);
  CHECK_FALSE(rig.plan_one());
  CHECK(rig.ended == std::vector<std::uint64_t>{1, 2});
  CHECK(rig.answers[2].reason == finish_reason::deadline);
  CHECK_FALSE(rig.answers[2].started);
  REQUIRE(rig.run());
  CHECK(rig.answers[3].tokens.size() == 30);
  CHECK(rig.fault() == "");
}

TEST_CASE("a failed step fails its sequences and publishes none of its blocks") {
  scheduler_rig rig;
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(10, 8), 5)));
  REQUIRE(rig.plan_one());
  const auto later = rig.spec(2, scheduler_rig::letters(100, 8), 2);
  REQUIRE(rig.admit(later));
  rig.fail_next = errc::io_failed;
  REQUIRE(rig.complete_one());
  CHECK(rig.answers[1].reason == finish_reason::failed);
  CHECK(rig.answers[1].error == failure{errc::io_failed, "as asked", ""});
  CHECK(rig.pool.counts().cached == 0);
  REQUIRE(rig.run());
  CHECK(rig.answers[2].tokens == rig.alone(later).first);
  CHECK(rig.pool.counts().leased == 0);
  CHECK(rig.fault() == "");
}

TEST_CASE("a result of the wrong size is a failed step") {
  scheduler_rig rig;
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(10, 8), 5)));
  std::vector<sequence_event> events;
  REQUIRE(rig.sched.plan(rig.now, events));
  rig.sched.submitted(ticket_id{9});
  rig.sched.complete(ticket_id{8}, {}, events);  // nobody's
  CHECK_FALSE(rig.sched.idle());
  rig.sched.complete(ticket_id{9}, {}, events);
  REQUIRE(events.size() == 2);
  CHECK(std::get<sequence_ended>(events[1]).error.code == errc::internal);
  CHECK(rig.sched.idle());
}

TEST_CASE("admission refuses what can never run and accepts a known id without effect") {
  rig_options options{.blocks = 4};
  options.scheduling.waiting_max = 2;
  options.scheduling.context_tokens_max = 100;
  scheduler_rig rig(options);
  const auto code = [&](const sequence_spec& asked) {
    const auto result = rig.sched.admit(asked);
    return result ? errc::none : result.error().code;
  };
  CHECK(code(rig.spec(1, scheduler_rig::letters(0, 10), 91)) == errc::context_length_exceeded);
  CHECK(code(rig.spec(1, scheduler_rig::letters(0, 16), 1)) == errc::prompt_exceeds_capacity);
  CHECK(code(rig.spec(1, {}, 1)) == errc::invalid_request);
  CHECK(code(rig.spec(1, scheduler_rig::letters(0, 4), 0)) == errc::invalid_request);
  auto odd = rig.spec(1, scheduler_rig::letters(0, 8), 1);
  odd.chain.pop_back();
  CHECK(code(odd) == errc::invalid_request);
  odd = rig.spec(1, scheduler_rig::letters(0, 3), 1);
  odd.hasher = block_hasher(std::uint64_t{5}, 8);
  CHECK(code(odd) == errc::invalid_request);
  odd = rig.spec(1, scheduler_rig::letters(0, 3), 5);
  odd.continued = 3;
  CHECK(code(odd) == errc::invalid_request);
  CHECK(code(rig.spec(1, scheduler_rig::letters(0, 15), 1)) == errc::none);
  CHECK(code(rig.spec(1, scheduler_rig::letters(0, 15), 1)) == errc::none);
  CHECK(rig.sched.load().waiting == 1);
  CHECK(code(rig.spec(2, scheduler_rig::letters(0, 5), 1)) == errc::none);
  CHECK(code(rig.spec(3, scheduler_rig::letters(0, 5), 1)) == errc::queue_full);
}

TEST_CASE("a sequence that fills the whole pool alone ends with its length") {
  rig_options options{.blocks = 4};
  scheduler_rig rig(options);
  const auto asked = rig.spec(1, scheduler_rig::letters(0, 10), 50);
  const auto next = rig.spec(2, scheduler_rig::letters(100, 5), 2);
  REQUIRE(rig.admit(asked));
  REQUIRE(rig.admit(next));
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  CHECK(rig.answers[1].reason == finish_reason::length);
  const auto free_run = rig.alone(asked).first;
  CHECK(rig.answers[1].tokens == std::vector(free_run.begin(), free_run.begin() + 7));  // 16 positions, and one token without KV
  CHECK(rig.answers[2].tokens == rig.alone(next).first);
}

TEST_CASE("under pressure the latest arrival gives way and later continues with the same tokens") {
  rig_options options{.blocks = 10};
  scheduler_rig rig(options);
  std::map<std::uint64_t, sequence_spec> asked;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    asked.emplace(id, rig.spec(id, scheduler_rig::letters(static_cast<token_id>(id * 50), 7), 20));
    REQUIRE(rig.admit(asked.at(id)));
  }
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  for (const auto& [id, spec] : asked) CHECK(rig.answers[id].tokens == rig.alone(spec).first);
  CHECK(rig.ended == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(rig.sched.load().preemptions > 0);
  CHECK(rig.sched.load().preemptions <= 4);  // not again and again
  CHECK(rig.pool.counts().leased == 0);
}

TEST_CASE("under pressure the lowest priority gives way, whenever it came") {
  rig_options options{.blocks = 8};
  scheduler_rig rig(options);
  auto low = rig.spec(1, scheduler_rig::letters(50, 7), 20);
  low.priority = -1;
  REQUIRE(rig.admit(low));
  REQUIRE(rig.plan_one());
  const auto high = rig.spec(2, scheduler_rig::letters(150, 7), 20);
  REQUIRE(rig.admit(high));
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  CHECK(rig.ended == std::vector<std::uint64_t>{2, 1});
  CHECK(rig.answers[1].tokens == rig.alone(low).first);
  CHECK(rig.answers[2].tokens == rig.alone(high).first);
  CHECK(rig.sched.load().preemptions == 1);
}

TEST_CASE("what others have pinned ends a sequence that could never fit beside it, and holds nobody else up") {
  scheduler_rig rig({.blocks = 8, .block_tokens = 4});
  const auto pinned = rig.spec(1, scheduler_rig::letters(0, 17), 1);  // four whole blocks
  REQUIRE(rig.admit(pinned));
  REQUIRE(rig.run());
  const std::vector<retention_wish> wishes{{pinned.chain.back(), 4, rank_pinned, 60'000}};
  REQUIRE(rig.pool.apply({pinned.owner, 1, wishes}).blocks_pinned == 4);
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 20), 2)));  // six blocks with its answer
  REQUIRE(rig.admit(rig.spec(3, scheduler_rig::letters(200, 10), 2)));
  REQUIRE(rig.run());
  CHECK(rig.answers[2].reason == finish_reason::failed);
  CHECK(rig.answers[2].error.code == errc::prompt_exceeds_capacity);
  CHECK(rig.answers[3].reason == finish_reason::length);
  CHECK(rig.answers[3].tokens == rig.alone(rig.spec(3, scheduler_rig::letters(200, 10), 2)).first);
  const auto grows = rig.spec(4, scheduler_rig::letters(300, 10), 12);  // 22 tokens, and room for 16
  REQUIRE(rig.admit(grows));
  REQUIRE(rig.run());
  CHECK(rig.answers[4].reason == finish_reason::length);
  CHECK(rig.answers[4].tokens.size() < 12);
  CHECK(rig.pool.counts().pinned == 4);
  CHECK(rig.fault() == "");
}
