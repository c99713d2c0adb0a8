// The gate before the scheduler: what waits there keeps its prefix, and how long answers will be counts.
#include <doctest/doctest.h>

#include <array>

#include "messages/base/limits.hpp"
#include "test/support/device_over_host.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

constexpr std::array<std::uint32_t, 2> hosts{0, 1000};  // blocks of the tier below; 0: none

std::vector<token_id> letters_and(token_id first, std::size_t count, token_id last) {
  auto tokens = scheduler_rig::letters(first, count);
  tokens.push_back(last);
  return tokens;
}

}  // namespace

TEST_CASE("a turn that waits for a slot keeps its prefix, with a tier and without") {
  for (const auto blocks : hosts) {
    CAPTURE(blocks);
    rig_options options{.blocks = 8};
    options.scheduling.running_max = 1;
    device_over_host world(options, blocks);
    auto& rig = world.device.rig;
    REQUIRE(world.device.admit(rig.spec(1, scheduler_rig::letters(0, 9), 1)));
    REQUIRE(world.finish());
    REQUIRE(world.device.admit(rig.spec(2, scheduler_rig::letters(100, 9), 1)));
    REQUIRE(world.finish());
    const auto grows = rig.spec(3, scheduler_rig::letters(200, 9), 14);  // to six of the eight blocks: two must leave
    REQUIRE(world.device.admit(grows));
    while (!rig.answers[3].started) world.step();
    const auto waits = rig.spec(4, letters_and(0, 9, 50), 1);
    REQUIRE(world.device.admit(waits));
    CHECK(world.device.tiers.pending() == 1);
    REQUIRE(world.finish());
    CHECK(rig.answers[4].started->cached_tokens == 8);
    CHECK(world.device.tiers.onboarded().blocks_onboarded == 0);
    CHECK(rig.answers[3].tokens == rig.alone(grows).first);
    CHECK(world.device.fault() == "");
  }
}

TEST_CASE("the expected answer counts: two that would not fit together run one after the other, and nobody is preempted") {
  for (const auto blocks : hosts) {
    for (const std::uint32_t expected : {27U, 0U}) {  // as said; unknown, so as long as it may be
      CAPTURE(blocks);
      CAPTURE(expected);
      device_over_host world({.blocks = 16}, blocks);
      auto& rig = world.device.rig;
      for (std::uint64_t id = 1; id <= 2; ++id) {
        auto asked = rig.spec(id, scheduler_rig::letters(static_cast<token_id>(100 * id), 9), 27);
        asked.output_tokens = expected;
        REQUIRE(world.device.admit(asked));
      }
      CHECK(world.device.tiers.pending() == 1);  // nine blocks each, of sixteen
      while (!rig.answers[2].started) world.step();
      CHECK(rig.ended == std::vector<std::uint64_t>{1});
      REQUIRE(world.finish());
      CHECK(world.load().preemptions == 0);
      CHECK(world.device.fault() == "");
    }
  }
}

TEST_CASE("what a sequence is expected to have at its end is never more than it may have, nor less than one more token") {
  const scheduler_rig rig;
  auto asked = rig.spec(1, scheduler_rig::letters(0, 10), 300);
  CHECK(tokens_expected(asked) == 10 + limits::output_tokens_expected);
  asked.output_tokens = 40;
  CHECK(tokens_expected(asked) == 50);
  asked.tokens_max = 8;
  CHECK(tokens_expected(asked) == 18);
  asked.tokens_max = 300;
  asked.continued = 4;
  CHECK(tokens_expected(asked) == 46);
  asked.output_tokens = 3;
  CHECK(tokens_expected(asked) == 11);
}
