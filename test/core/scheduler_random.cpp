// Random traffic against small pools: whatever happens, each answer is the one its sequence gets alone, and nothing is lost.
#include <doctest/doctest.h>

#include <random>

#include "engine/core/scheduler.hpp"
#include "test/support/scheduler_rig.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

struct traffic {
  explicit traffic(std::uint64_t seed) : random(seed), rig(draw_options(seed)) {}

  rig_options draw_options(std::uint64_t seed) {
    rig_options options{.blocks = 8 + below(40), .block_tokens = 1 + below(6), .vocabulary = 3 + below(40)};
    options.scheduling = {
        .step_tokens_max = 1 + below(30), .prefill_chunk_max = 1 + below(30), .running_max = 1 + below(6), .waiting_max = 12};
    options.seed = seed;
    return options;
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }

  /// Prompts over two tokens branch early and late, so that prefixes of every depth are shared.
  void admit() {
    const std::uint32_t capacity = rig.options.blocks * rig.options.block_tokens;
    std::vector<token_id> prompt(1 + below(std::min(capacity + capacity / 8, 60U)));
    for (auto& token : prompt) token = static_cast<token_id>(below(12) == 0);
    auto asked = rig.spec(next_id++, std::move(prompt), 1 + below(25));
    asked.owner = {below(4)};
    asked.priority = static_cast<std::int32_t>(below(3));
    asked.sampling.seed = below(3);
    asked.continued = below(4) == 0 ? below(static_cast<std::uint32_t>(asked.tokens.size())) : 0;
    if (below(4) == 0) asked.sampling.frequency_penalty = 0.1F;
    if (below(2) == 0) asked.stop_tokens = {static_cast<token_id>(below(rig.options.vocabulary))};
    if (below(3) == 0) asked.tokens_min = below(8);
    if (below(8) == 0) asked.deadline = rig.now + instant(1 + below(60));
    if (asked.continued > asked.tokens_max) asked.continued = 0;
    if (rig.admit(asked)) specs.emplace(asked.id.value, asked);
  }

  void act() {
    switch (below(13)) {
      case 0:
      case 1:
      case 2:
        return admit();
      case 3:
      case 4:
      case 5:
      case 6:
        rig.plan_one();
        return;
      case 7:
      case 8:
      case 9:
        rig.complete_one();
        return;
      case 10:
        if (below(3) == 0) rig.cancel(below(static_cast<std::uint32_t>(next_id)));
        return;
      case 11:
        if (below(20) == 0) rig.fail_next = errc::io_failed;
        return;
      default:
        rig.pool.release_owner({below(4)});
        return;
    }
  }

  /// A finished answer is the whole one; one that was cut short, or that filled the pool, is a beginning of it.
  void check_answers() {
    const std::uint32_t capacity = rig.options.blocks * rig.options.block_tokens;
    for (const auto& [id, spec] : specs) {
      CAPTURE(id);
      const auto [expected, reason] = rig.alone(spec);
      const auto& answer = rig.answers[id];
      REQUIRE(answer.reason.has_value());
      const std::size_t prompt = spec.tokens.size() - spec.continued;
      const bool filled = answer.reason == finish_reason::length && prompt + answer.tokens.size() == capacity + 1;
      const bool whole = (answer.reason == finish_reason::stop || answer.reason == finish_reason::length) && !filled;
      if (whole) {
        CHECK(answer.reason == reason);
        CHECK(answer.tokens == expected);
      } else {
        REQUIRE(answer.tokens.size() <= expected.size());
        CHECK(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.begin()));
      }
    }
  }

  std::mt19937_64 random;
  scheduler_rig rig;
  std::uint64_t next_id = 1;
  std::map<std::uint64_t, sequence_spec> specs;
};

}  // namespace

TEST_CASE("random traffic: invariants hold after each operation, answers are exact, and every block comes back") {
  std::uint64_t preemptions = 0, reused = 0, finished = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    traffic t(seed);
    for (int step = 0; step < 250; ++step) {
      CAPTURE(step);
      t.act();
      t.rig.now += instant(1);
      REQUIRE(t.rig.fault() == "");
    }
    REQUIRE(t.rig.run());
    REQUIRE(t.rig.fault() == "");
    t.check_answers();
    CHECK(t.rig.pool.counts().leased == 0);
    for (std::uint64_t owner = 0; owner < 4; ++owner) t.rig.pool.release_owner({owner});
    CHECK(t.rig.pool.counts().free == t.rig.options.blocks);
    CHECK(t.rig.tokens_completed == t.rig.sched.load().tokens_computed);
    preemptions += t.rig.sched.load().preemptions;
    reused += t.rig.sched.load().tokens_reused;
    finished += t.specs.size();
  }
  // The traffic must exercise what it is for.
  CHECK(preemptions > 500);
  CHECK(reused > 10'000);
  CHECK(finished > 9'000);
}
