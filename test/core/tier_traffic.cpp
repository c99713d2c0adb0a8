// One device and the tier below it: what goes down, what comes back, and what they ask each other.
#include "engine/core/tier_traffic.hpp"

#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "test/support/device_over_host.hpp"

using namespace troupe;
using namespace troupe::core;

TEST_CASE("a prefix that left the device comes back from the host instead of being computed") {
  device_over_host world({}, 10'000);
  auto& device = world.device;
  const auto width = device.rig.options.block_tokens;
  const auto capacity = device.rig.options.blocks * width;
  const auto long_prompt = scheduler_rig::letters(0, capacity / 2 / width * width + 1);
  CHECK(device.admit(device.rig.spec(1, long_prompt, 1)));
  REQUIRE(world.finish());
  CHECK(device.tiers.offloaded().blocks_offloaded == capacity / 2 / width);
  CHECK(device.admit(device.rig.spec(2, scheduler_rig::letters(1000, capacity - width), 1)));  // takes the whole pool
  REQUIRE(world.finish());
  const auto computed = device.rig.sched.load().tokens_computed;
  CHECK(device.admit(device.rig.spec(3, long_prompt, 1)));
  REQUIRE(world.finish());
  CHECK(device.rig.answers[3].started->cached_tokens == capacity / 2 / width * width);
  CHECK(device.rig.sched.load().tokens_computed == computed + 1);
  CHECK(device.rig.answers[3].tokens == device.rig.answers[1].tokens);
  CHECK(device.fault() == "");
}

TEST_CASE("what a limit kept off the tier is offered when an owner without that limit comes to share it, once") {
  device_over_host world({}, 10'000);
  auto& device = world.device;
  const auto width = device.rig.options.block_tokens;
  const auto prompt = scheduler_rig::letters(0, 3 * width + 1);
  auto strict = device.rig.spec(1, prompt, 1);
  strict.max_tier = tier_level::device;
  CHECK(device.admit(strict));
  REQUIRE(world.finish());
  CHECK(device.tiers.offloaded().blocks_offloaded == 0);
  auto again = device.rig.spec(2, prompt, 1);
  again.max_tier = tier_level::device;
  again.owner = strict.owner;
  CHECK(device.admit(again));
  REQUIRE(world.finish());
  CHECK(device.tiers.offloaded().blocks_offloaded == 0);
  CHECK(device.tiers.offloaded().waiting == 0);
  for (std::uint64_t id = 3; id < 5; ++id) {
    CHECK(device.admit(device.rig.spec(id, prompt, 1)));
    REQUIRE(world.finish());
    CHECK(device.tiers.offloaded().blocks_offloaded == 3);
  }
  CHECK(device.fault() == "");
}

TEST_CASE("a tier that never answers costs its wait and nothing else") {
  device_over_host world({}, 10'000);
  auto& device = world.device;
  CHECK(device.admit(device.rig.spec(1, scheduler_rig::letters(0, 20), 2)));
  CHECK_FALSE(device.rig.plan_one());
  device.rig.now += instant(limits::tier_wait);
  device.plan();
  CHECK(device.complete());
  CHECK(device.rig.run());
  CHECK(device.rig.answers[1].reason == finish_reason::length);
  CHECK(device.fault() == "");
}

TEST_CASE("a question says what a block takes to compute, once that is known; a prefetch waits for nothing and does not") {
  device_over_host world({}, 10'000);
  auto& device = world.device;
  const auto question_of = [&] {
    const auto question = std::get<lease_request>(device.out.back());
    device.out.clear();
    return question;
  };
  const auto width = device.rig.options.block_tokens;
  CHECK(device.admit(device.rig.spec(1, scheduler_rig::letters(0, 3 * width + 1), 1)));
  CHECK(question_of().computed_block_s == 0);
  device.tiers.granted(lease_grant{1, {1}, 0, {}, nullptr});
  for (int steps = 0; steps < 100 && !device.rig.answers[1].reason; ++steps) {
    device.plan();
    device.complete();
  }
  device.out.clear();
  const auto rate = device.rig.sched.load().prefill_tokens_per_s;
  REQUIRE(rate > 0);
  CHECK(device.admit(device.rig.spec(2, scheduler_rig::letters(500, 3 * width + 1), 1)));
  CHECK(question_of().computed_block_s == width / rate);
  device.tiers.prefetch(device.rig.spec(3, scheduler_rig::letters(900, 3 * width + 1), 1), device.rig.now);
  device.settle();
  CHECK(question_of().computed_block_s == 0);
}
