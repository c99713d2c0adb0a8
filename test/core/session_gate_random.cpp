// Sessions that come, work, pause, spawn, die and compete for too little memory, in virtual time, with a tier and without: every turn ends,
// nobody waits beyond the bound, and every answer is the one its sequence gets alone.
#include <doctest/doctest.h>

#include <random>

#include "test/support/device_over_host.hpp"

using namespace troupe;
using namespace troupe::core;
using std::chrono::milliseconds;

namespace {

constexpr auto bound = milliseconds{400};

struct session_world {
  struct agent {
    std::uint64_t number = 0;
    std::vector<token_id> context;
    std::optional<sequence_spec> turn;
    bool is_subagent = false;
    std::int32_t priority = 0;
    instant back_at{0};
  };

  explicit session_world(std::uint64_t seed)
      : random(seed), world(options_of(seed), seed % 2 == 0 ? 0 : 20 + below(40), {.wait_max = bound}), agents(4 + below(6)) {
    for (auto& each : agents) begin(each);
  }
  rig_options options_of(std::uint64_t seed) {
    rig_options options{.blocks = 16 + below(30), .block_tokens = 2 + below(4), .vocabulary = 30, .seed = seed};
    options.scheduling = {
        .step_tokens_max = 8 + below(20), .prefill_chunk_max = 8 + below(20), .running_max = 1 + below(5), .waiting_max = 100};
    return options;
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }
  scheduler_rig& rig() { return world.device.rig; }
  session_gate& gate() { return world.device.tiers.sessions(); }

  void begin(agent& of) {
    of = {.number = ++sessions};
    of.context.assign(1 + below(20), static_cast<token_id>(below(3)));  // one of three system prompts
    for (std::uint32_t more = below(20); more > 0; --more) of.context.push_back(static_cast<token_id>(below(30)));
    of.is_subagent = below(5) == 0;
    of.priority = below(6) == 0 ? 1 : 0;
    of.back_at = rig().now + milliseconds{below(200)};
  }
  void ask(agent& of) {
    auto asked = rig().spec(++turns, of.context, 1 + below(12));
    asked.owner = {of.number};
    asked.session = of.number;
    asked.is_subagent = of.is_subagent;
    asked.priority = of.priority;
    asked.output_tokens = below(12);
    if (below(12) == 0) asked.deadline = rig().now + milliseconds{1 + below(600)};
    if (!world.device.admit(asked)) return begin(of);  // it has outgrown the pool
    of.turn = asked;
    specs.push_back(asked);
    came.emplace(asked.id, rig().now);
  }
  /// Its answer is there: the session pauses, rests or dies.
  void take_answer(agent& of) {
    const auto& answer = rig().answers[of.turn->id.value];
    of.context.insert(of.context.end(), answer.tokens.begin(), answer.tokens.end());
    of.context.push_back(static_cast<token_id>(below(30)));
    gate().end_turn(of.turn->id, rig().now);
    of.turn.reset();
    const bool is_long = below(4) == 0;
    of.back_at = rig().now + milliseconds{is_long ? 100'000 : below(300)};
    gate().rest({of.number}, of.context.size(), {below(3) != 0, is_long ? 100.0 : 0.2, is_long ? 200.0 : 0.4}, rig().now);
    if (below(8) != 0) return;
    gate().release_owner({of.number});
    rig().pool.release_owner({of.number});
    if (world.host) world.host->release_owner({of.number});
    begin(of);
  }
  void act(agent& of) {
    if (!of.turn && rig().now >= of.back_at) return ask(of);
    if (!of.turn) return;
    if (below(60) == 0) world.device.cancel(of.turn->id.value);
    if (rig().answers[of.turn->id.value].reason) take_answer(of);
  }
  /// Turns whose wait at the session gate is over and which are still there.
  [[nodiscard]] std::size_t overdue() {
    std::size_t count = 0;
    for (const auto& [id, since] : came) count += rig().now > since + bound + milliseconds{20} && gate().knows(id);
    waited += gate().counts().waiting > 0;
    return count;
  }
  bool finish() {
    for (int round = 0; round < 20'000; ++round) {
      rig().now += milliseconds{10};
      if (!world.step()) return true;
    }
    return false;
  }

  std::mt19937_64 random;
  device_over_host world;
  std::vector<agent> agents;
  std::vector<sequence_spec> specs;
  std::map<request_id, instant> came;
  std::uint64_t sessions = 0, turns = 0, waited = 0;
};

}  // namespace

TEST_CASE("random sessions in too little memory: every turn ends, no wait is longer than its bound, answers are exact") {
  std::uint64_t by_room = 0, by_bound = 0, waited = 0, finished = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    session_world played(seed);
    for (int step = 0; step < 250; ++step) {
      CAPTURE(step);
      played.rig().now += milliseconds{1 + played.below(15)};
      played.act(played.agents[played.below(static_cast<std::uint32_t>(played.agents.size()))]);
      played.world.step();
      REQUIRE(played.overdue() == 0);
      REQUIRE(played.world.device.fault() == "");
    }
    REQUIRE(played.finish());
    for (const auto& spec : played.specs) {
      const auto& answer = played.rig().answers[spec.id.value];
      const auto expected = played.rig().alone(spec).first;
      REQUIRE(answer.reason.has_value());
      REQUIRE(answer.tokens.size() <= expected.size());
      CHECK(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.begin()));
      finished += answer.tokens.size() == expected.size();
    }
    by_room += played.gate().counts().ended_by_room;
    by_bound += played.gate().counts().ended_by_bound;
    waited += played.waited;
  }
  // They must have met what it is about.
  CHECK(by_room > 300);
  CHECK(by_bound > 30);
  CHECK(waited > 3000);
  CHECK(finished > 5000);
}
