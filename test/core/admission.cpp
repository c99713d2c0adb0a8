// The gate before the scheduler: what waits there keeps its prefix, how long answers will be counts, and who is preempted comes back by a
// copy and not by computing.
#include <doctest/doctest.h>

#include <array>

#include "engine/core/copy_holds.hpp"
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

/// A chain of cached blocks in a pool, all leased, as a sequence leaves them that is preempted.
struct preempted_table {
  explicit preempted_table(std::uint32_t blocks) : pool({.block_count = blocks + 8, .block_tokens = 4}), device(blocks + 8, 4, 1, 9, 1) {
    store(900, 3, earlier);
    store(0, blocks, table);
    up.note(pool.take_events());
  }
  void store(token_id first, std::uint32_t blocks, std::vector<block_index>& into) {
    const block_hasher hasher(std::uint64_t{5}, 4);
    const auto tokens = scheduler_rig::letters(first, std::size_t{blocks} * 4);
    std::vector<block_identity> chain;
    hasher.extend(chain, tokens);
    REQUIRE(pool.acquire_private(blocks, into));
    for (std::uint32_t i = 0; i < blocks; ++i)
      pool.publish(into[i], chain[i], i == 0 ? hasher.root() : chain[i - 1].hash, std::span(tokens).subspan(i * 4, 4), {1}, {});
  }
  /// The tier takes what is offered, and says what came first.
  block_identity grant() {
    const auto offered = up.offer(instant{0});
    REQUIRE(offered);
    slot_grant granted{offered->transfer, {}, nullptr};
    for (std::size_t i = 0; i < offered->blocks.size(); ++i) granted.slots.push_back(memory.data() + i * device.traits().block_bytes);
    up.granted(granted);
    return offered->blocks.front().identity;
  }
  void complete(errc status) {
    auto [ticket, result] = device.complete_one();
    result.status = status;
    REQUIRE(up.complete(ticket, result));
  }
  [[nodiscard]] std::uint32_t leased() const { return pool.counts().leased - static_cast<std::uint32_t>(earlier.size()); }

  block_pool pool;
  fake_backend device;
  std::vector<std::byte> memory = std::vector<std::byte>(1 << 20);
  offloader offloads{pool, device};
  offloader& up = offloads;
  copy_holds holds{pool, up};
  std::vector<block_index> earlier, table;
};

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

TEST_CASE("a preempted sequence computes only its partial block again, and keeps its place before who came later") {
  device_over_host world({.blocks = 10}, 1000);
  auto& rig = world.device.rig;
  std::vector<sequence_spec> asked;
  for (std::uint64_t id = 1; id <= 2; ++id) {
    asked.push_back(rig.spec(id, scheduler_rig::letters(static_cast<token_id>(100 * id), 9), 20));
    asked.back().output_tokens = 1;  // so both are let in
    REQUIRE(world.device.admit(asked.back()));
  }
  while (world.load().preemptions == 0) REQUIRE(world.step());
  while (world.device.tiers.pending() == 0) REQUIRE(world.step());  // it has drained
  const auto computed = 9 + rig.answers[2].tokens.size() - 1;
  asked.push_back(rig.spec(3, scheduler_rig::letters(300, 5), 20));
  REQUIRE(world.device.admit(asked.back()));
  CHECK(world.device.tiers.pending() == 2);
  REQUIRE(world.finish());
  CHECK(rig.ended == std::vector<std::uint64_t>{1, 2, 3});
  for (const auto& each : asked) CHECK(rig.answers[each.id.value].tokens == rig.alone(each).first);
  CHECK(world.load().preemptions == 1);
  CHECK(world.load().tokens_computed == 28 + 28 + 24 + computed % 4);
  CHECK(world.device.tiers.onboarded().blocks_onboarded > 0);
  CHECK(world.device.fault() == "");
}

TEST_CASE("without a tier a preempted sequence computes what has left the device, and its answer is the same") {
  device_over_host world({.blocks = 10});
  auto& rig = world.device.rig;
  std::vector<sequence_spec> asked;
  for (std::uint64_t id = 1; id <= 2; ++id) {
    asked.push_back(rig.spec(id, scheduler_rig::letters(static_cast<token_id>(100 * id), 9), 20));
    asked.back().output_tokens = 1;
    REQUIRE(world.device.admit(asked.back()));
  }
  REQUIRE(world.finish());
  CHECK(world.load().preemptions == 1);
  CHECK(rig.ended == std::vector<std::uint64_t>{1, 2});
  for (const auto& each : asked) CHECK(rig.answers[each.id.value].tokens == rig.alone(each).first);
  CHECK(world.load().tokens_computed > 28 + 28 + 4);
  CHECK(world.device.fault() == "");
}

TEST_CASE("a turn of higher priority takes the room of one that runs, which goes on where it was; an equal one waits") {
  device_over_host world({.blocks = 12}, 1000);
  auto& rig = world.device.rig;
  std::vector<sequence_spec> asked;
  for (std::uint64_t id = 1; id <= 3; ++id) asked.push_back(rig.spec(id, scheduler_rig::letters(static_cast<token_id>(100 * id), id == 3 ? 33 : 9), id == 1 ? 30 : 4));
  asked[2].priority = 1;
  REQUIRE(world.device.admit(asked[0]));  // to ten of the twelve blocks
  while (rig.answers[1].tokens.size() < 8) REQUIRE(world.step());
  REQUIRE(world.device.admit(asked[1]));
  CHECK(world.device.tiers.pending() == 1);
  CHECK(world.load().preemptions == 0);
  REQUIRE(world.device.admit(asked[2]));
  REQUIRE(world.finish());
  CHECK(rig.ended == std::vector<std::uint64_t>{3, 1, 2});
  for (const auto& each : asked) CHECK(rig.answers[each.id.value].tokens == rig.alone(each).first);
  CHECK(world.load().preemptions == 1);
  CHECK(world.device.tiers.onboarded().blocks_onboarded == 4);
  CHECK(world.device.fault() == "");
}

TEST_CASE("a hit does not wait behind a cold prompt that does not fit, but the cold prompt is overtaken so often and no more") {
  rig_options options{.blocks = 20};
  options.scheduling.running_max = 16;
  device_over_host world(options, 1000);
  auto& rig = world.device.rig;
  REQUIRE(world.device.admit(rig.spec(1, scheduler_rig::letters(0, 9), 1)));
  REQUIRE(world.finish());
  REQUIRE(world.device.admit(rig.spec(2, scheduler_rig::letters(100, 9), 15)));  // six blocks
  while (!rig.answers[2].started) REQUIRE(world.step());
  REQUIRE(world.device.admit(rig.spec(3, scheduler_rig::letters(200, 57), 4)));  // sixteen
  for (std::uint64_t id = 4; id < 14; ++id) REQUIRE(world.device.admit(rig.spec(id, letters_and(0, 9, static_cast<token_id>(id)), 1)));
  CHECK(world.device.tiers.pending() == 3);  // it, and two of the ten hits, for which there is room
  REQUIRE(world.finish());
  CHECK(rig.answers[13].started->cached_tokens == 8);
  CHECK(world.load().preemptions == 0);
  CHECK(world.device.fault() == "");
}

TEST_CASE("nobody gives way to a turn that would not fit even so") {
  device_over_host world({.blocks = 16}, 1000);
  auto& rig = world.device.rig;
  auto high = rig.spec(1, scheduler_rig::letters(100, 9), 27), low = rig.spec(2, scheduler_rig::letters(200, 9), 3);
  high.priority = 2;
  REQUIRE(world.device.admit(high));  // nine blocks
  REQUIRE(world.device.admit(low));   // three
  auto middle = rig.spec(3, scheduler_rig::letters(300, 30), 6);
  middle.priority = 1;
  REQUIRE(world.device.admit(middle));  // nine, of which seven could be had
  REQUIRE(world.finish());
  CHECK(world.load().preemptions == 0);
  CHECK(rig.ended == std::vector<std::uint64_t>{2, 1, 3});
}

TEST_CASE("blocks of a preempted sequence are copied before others that wait, and stay until then") {
  preempted_table table(4);
  table.holds.take(table.table, instant{0});
  CHECK(table.leased() == 4);
  CHECK(table.grant() == table.pool.describe(table.table[0]).identity);
  table.holds.release_done(instant{1});
  CHECK(table.leased() == 4);
  table.complete(errc::none);
  table.holds.release_done(instant{2});
  CHECK(table.leased() == 0);
  CHECK(table.holds.empty());
  CHECK(table.up.counts().blocks_offloaded == 7);
  table.holds.take({}, instant{3});
  CHECK(table.holds.empty());
}

TEST_CASE("what is below already, and what could not be copied, is not waited for") {
  for (const auto status : {errc::none, errc::io_failed}) {
    preempted_table table(4);
    table.grant();
    table.complete(status);
    table.holds.take(table.table, instant{0});
    CHECK(table.leased() == 0);
    CHECK(table.holds.empty());
  }
}

TEST_CASE("copies that are late are waited for so long and no longer") {
  preempted_table table(4);
  table.holds.take(table.table, instant{0});
  table.holds.release_done(instant{limits::preempted_copy_wait} - instant{1});
  CHECK(table.leased() == 4);
  table.holds.release_done(instant{limits::preempted_copy_wait});
  CHECK(table.leased() == 0);
  CHECK(table.holds.empty());
}

TEST_CASE("of one preempted sequence so many blocks wait for their copies, the first ones") {
  preempted_table table(limits::preempted_blocks_max + 6);
  table.holds.take(table.table, instant{0});
  CHECK(table.leased() == limits::preempted_blocks_max);
  CHECK(table.pool.leases(table.table[limits::preempted_blocks_max - 1]) == 1);
  CHECK(table.pool.leases(table.table[limits::preempted_blocks_max]) == 0);
  table.holds.release_all();
  CHECK(table.leased() == 0);
}
