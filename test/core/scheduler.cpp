// What one step plans: batches, chunks, budgets, order. Ends, refusals and pressure are in scheduler_ends.cpp.
#include "engine/core/scheduler.hpp"

#include <doctest/doctest.h>

#include "test/support/scheduler_rig.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

using indices = std::vector<block_index>;
using tokens_type = std::vector<token_id>;

}  // namespace

TEST_CASE("a prompt is prefilled in one row and decoded from its slot while the first step is in flight") {
  scheduler_rig rig;
  const auto asked = rig.spec(1, scheduler_rig::letters(10, 6), 3);
  REQUIRE(rig.admit(asked));
  REQUIRE(rig.plan_one());
  REQUIRE(rig.last_plan.rows.size() == 1);
  CHECK(rig.last_plan.rows[0].slot == 0);
  CHECK(rig.last_plan.rows[0].token_count == 6);
  CHECK(rig.last_plan.rows[0].position == 0);
  CHECK(rig.last_plan.block_tables == indices{0, 1});
  CHECK(rig.last_plan.tokens == scheduler_rig::letters(10, 6));
  REQUIRE(rig.last_plan.samples.size() == 1);
  CHECK(rig.last_plan.samples[0].row == 0);
  CHECK(rig.last_plan.history.empty());
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.rows[0].token_count == 1);
  CHECK(rig.last_plan.rows[0].position == 6);
  CHECK(rig.last_plan.tokens == tokens_type{from_slot(0)});
  CHECK(rig.last_plan.block_tables == indices{0, 1});
  CHECK_FALSE(rig.plan_one());  // two steps are in flight
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  CHECK(rig.answers[1].tokens == rig.alone(asked).first);
  CHECK(rig.answers[1].reason == finish_reason::length);
  CHECK(rig.answers[1].error.code == errc::none);
  CHECK(rig.backend.tokens_computed == 8);  // the third token needs no KV
  CHECK(rig.sched.load().tokens_computed == 8);
  CHECK(rig.sched.load().tokens_sampled == 3);
  CHECK(rig.sched.load().steps == 3);
}

TEST_CASE("completed blocks are published, the last token's is not") {
  scheduler_rig rig;
  const auto asked = rig.spec(1, scheduler_rig::letters(10, 6), 3);
  REQUIRE(rig.admit(asked));
  REQUIRE(rig.run());
  CHECK(rig.pool.counts().cached == 2);  // 6 + 2 tokens have KV: blocks [0, 4) and [4, 8)
  CHECK(rig.pool.counts().leased == 0);
  tokens_type all = asked.tokens;
  all.insert(all.end(), rig.answers[1].tokens.begin(), rig.answers[1].tokens.begin() + 2);
  std::vector<block_identity> chain;
  rig.hasher.extend(chain, all);
  CHECK(rig.pool.is_cached(chain[1].hash));
}

TEST_CASE("a long prompt is chunked at block boundaries under the budget, decodes first") {
  rig_options options;
  options.scheduling.step_tokens_max = 10;
  scheduler_rig rig(options);
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(10, 3), 20)));
  REQUIRE(rig.plan_one());
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 21), 2)));
  REQUIRE(rig.plan_one());
  REQUIRE(rig.last_plan.rows.size() == 2);
  CHECK(rig.last_plan.rows[0].token_count == 1);
  CHECK(rig.last_plan.rows[1].token_count == 8);  // nine are left in the budget; a chunk ends where a block ends
  CHECK(rig.last_plan.samples.size() == 1);
  CHECK(rig.last_plan.samples[0].row == 0);
  REQUIRE(rig.complete_one());
  REQUIRE(rig.complete_one());
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.rows[1].position == 8);
  CHECK(rig.last_plan.rows[1].token_count == 8);
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
}

TEST_CASE("a short remainder overtakes a cold prompt and a cold prompt keeps half of the budget") {
  scheduler_rig rig;
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(0, 60), 1)));
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 5), 1)));
  REQUIRE(rig.admit(rig.spec(3, scheduler_rig::letters(200, 5), 1)));
  REQUIRE(rig.plan_one());
  REQUIRE(rig.last_plan.rows.size() == 2);
  CHECK(rig.last_plan.rows[0].token_count == 5);
  CHECK(rig.last_plan.tokens[0] == 100);
  CHECK(rig.last_plan.rows[1].token_count == 8);  // of the eleven left
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.tokens[0] == 200);
  CHECK(rig.last_plan.rows[1].position == 8);
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
}

TEST_CASE("short remainders overtake only what has the same priority") {
  scheduler_rig rig;
  auto urgent = rig.spec(1, scheduler_rig::letters(0, 60), 1);
  urgent.priority = 5;
  REQUIRE(rig.admit(urgent));
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 5), 1)));
  REQUIRE(rig.plan_one());
  REQUIRE(rig.last_plan.rows.size() == 1);
  CHECK(rig.last_plan.tokens[0] == 0);
  CHECK(rig.last_plan.rows[0].token_count == 16);  // the whole budget
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
}

TEST_CASE("a step that lasts is not planned ahead of, so that who comes meanwhile is in the next") {
  scheduler_rig rig;
  rig.backend.step_s = 0.02;
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(0, 40), 1)));
  REQUIRE(rig.plan_one());
  CHECK(rig.plan_one());  // nothing is known of steps yet
  REQUIRE(rig.complete_one());
  CHECK_FALSE(rig.plan_one());
  REQUIRE(rig.admit(rig.spec(2, scheduler_rig::letters(100, 5), 1)));
  REQUIRE(rig.complete_one());
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.rows.size() == 2);
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
}

TEST_CASE("a cached prefix is shared copy-free and the last prompt token is always computed") {
  scheduler_rig rig;
  const auto prompt = scheduler_rig::letters(10, 8);
  REQUIRE(rig.admit(rig.spec(1, prompt, 1)));
  REQUIRE(rig.run());
  REQUIRE(rig.admit(rig.spec(2, prompt, 1)));
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.rows[0].position == 4);  // a full hit, but for the block of the last token
  CHECK(rig.last_plan.rows[0].token_count == 4);
  CHECK(rig.last_plan.block_tables == indices{0, 2});
  CHECK(rig.answers[2].started->cached_tokens == 4);
  CHECK(rig.answers[2].started->prompt_tokens == 8);
  REQUIRE(rig.run());
  CHECK(rig.answers[2].tokens == rig.answers[1].tokens);
  CHECK(rig.pool.counts().cached == 2);  // the duplicate of block 1 was swapped for the cached one
  CHECK(rig.sched.load().tokens_reused == 4);
  REQUIRE(rig.admit(rig.spec(3, scheduler_rig::letters(10, 9), 1)));
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.rows[0].position == 8);
  CHECK(rig.last_plan.rows[0].token_count == 1);
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
}

TEST_CASE("four siblings that start together compute their shared prefix once") {
  rig_options options{.blocks = 400, .block_tokens = 32, .vocabulary = 1000};
  options.scheduling = {.step_tokens_max = 512, .prefill_chunk_max = 512, .running_max = 4};
  scheduler_rig rig(options);
  std::map<std::uint64_t, sequence_spec> asked;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    auto prompt = scheduler_rig::letters(0, 2000);
    for (token_id i = 0; i < 100; ++i) prompt.push_back(static_cast<token_id>(5000 + 100 * id) + i);
    asked.emplace(id, rig.spec(id, prompt, 3));
    REQUIRE(rig.admit(asked.at(id)));
  }
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  for (const auto& [id, spec] : asked) {
    CHECK(rig.answers[id].tokens == rig.alone(spec).first);
    CHECK(rig.answers[id].started->cached_tokens == (id == 1 ? 0 : 1984));  // 62 full blocks
  }
  // 1984 shared once; 16 + 100 of their own for each, and two decodes.
  CHECK(rig.sched.load().tokens_computed == 1984 + 4 * (16 + 100 + 2));
  CHECK(rig.sched.load().tokens_reused == 3 * 1984);
  CHECK(rig.pool.counts().free == 400 - 62 - 4 * 3);  // of 118 own positions each, three full blocks behind the 62 shared
}

TEST_CASE("higher priorities start first, equals in the order of arrival") {
  rig_options options;
  options.scheduling.running_max = 1;
  scheduler_rig rig(options);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    auto asked = rig.spec(id, scheduler_rig::letters(static_cast<token_id>(id * 20), 5), 2);
    asked.priority = id == 3 ? 5 : 0;
    REQUIRE(rig.admit(asked));
  }
  REQUIRE(rig.run());
  CHECK(rig.ended == std::vector<std::uint64_t>{3, 1, 2, 4});
}

TEST_CASE("a row with penalties waits for its tokens and gets its whole history") {
  scheduler_rig rig;
  auto asked = rig.spec(1, scheduler_rig::letters(10, 6), 5);
  asked.continued = 2;
  asked.sampling.presence_penalty = 0.5F;
  REQUIRE(rig.admit(asked));
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.history == asked.tokens);
  CHECK(rig.last_plan.samples[0].history_prompt == 4);
  CHECK(rig.last_plan.samples[0].history_output == 2);
  CHECK_FALSE(rig.plan_one());
  REQUIRE(rig.complete_one());
  REQUIRE(rig.plan_one());
  CHECK(rig.last_plan.tokens == tokens_type{rig.answers[1].tokens.back()});
  CHECK(rig.last_plan.history.size() == 7);
  REQUIRE(rig.run());
  CHECK(rig.fault() == "");
  CHECK(rig.answers[1].tokens.size() == 5);
  CHECK(rig.answers[1].tokens == rig.alone(asked).first);
}

TEST_CASE("a turn continued elsewhere goes on with the same tokens and counts them") {
  scheduler_rig whole, half;
  const auto asked = whole.spec(1, scheduler_rig::letters(10, 6), 9);
  REQUIRE(whole.admit(asked));
  REQUIRE(whole.run());
  auto tokens = asked.tokens;
  tokens.insert(tokens.end(), whole.answers[1].tokens.begin(), whole.answers[1].tokens.begin() + 4);
  auto moved = half.spec(1, tokens, 9);
  moved.continued = 4;
  REQUIRE(half.admit(moved));
  REQUIRE(half.run());
  CHECK(half.answers[1].tokens == whole.answers[1].tokens);
  CHECK(half.answers[1].started->prompt_tokens == 6);
  auto complete = half.spec(2, tokens, 4);
  complete.continued = 4;
  REQUIRE(half.admit(complete));
  REQUIRE(half.run());
  CHECK(half.answers[2].reason == finish_reason::length);
  CHECK(half.answers[2].next_index == 4);
  CHECK(half.fault() == "");
}

TEST_CASE("load counts what waits and measures rates") {
  scheduler_rig rig;
  CHECK(rig.sched.load().prefill_tokens_per_s == 0);
  REQUIRE(rig.admit(rig.spec(1, scheduler_rig::letters(0, 40), 2)));
  CHECK(rig.sched.load().waiting == 1);
  CHECK(rig.sched.load().prefill_tokens_waiting == 40);
  REQUIRE(rig.plan_one());
  CHECK(rig.sched.load().running == 1);
  CHECK(rig.sched.load().waiting == 0);
  REQUIRE(rig.complete_one());
  CHECK(rig.sched.load().prefill_tokens_waiting == 24);
  CHECK(rig.sched.load().prefill_tokens_per_s == doctest::Approx(16'000));  // 16 tokens in a step of 1 ms
  REQUIRE(rig.run());
  CHECK(rig.sched.load().prefill_tokens_waiting == 0);
  CHECK(rig.sched.load().decode_tokens_per_s == doctest::Approx(1000));
  CHECK(rig.sched.idle());
}
