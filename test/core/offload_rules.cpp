// When a device's blocks go down: with everything that it stores, or before they leave it.
#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "test/support/device_over_host.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

/// A lifecycle policy that keeps whole contexts of some blocks each.
struct foreseeing {
  std::unique_ptr<retention_policy> policy = make_retention_policy("lifecycle", {.block_count = 64});
  instant now{0};

  void begin(stream_id stream, const std::vector<block_index>& path) {
    policy->turn_started({.stream = stream, .turn = 100 + stream, .blocks = static_cast<std::uint32_t>(path.size())}, now += 1s);
    for (std::size_t i = 0; i < path.size(); ++i) policy->stored(path[i], i == 0 ? no_block : path[i - 1]);
    policy->context(stream, path, now);
  }
  void end(stream_id stream, const std::vector<block_index>& path) {
    policy->idle(path, now);
    policy->turn_finished({.stream = stream, .turn = 100 + stream, .end = turn_end::tool_calls}, now);
  }
  std::vector<stream_id> leaving(std::uint32_t blocks) {
    std::vector<stream_id> named;
    for (const auto& each : policy->take_outlooks(blocks, 1, now)) {
      CHECK(each.turn == 100 + each.stream);
      CHECK(each.is_leaving);
      named.push_back(each.stream);
    }
    return named;
  }
};

constexpr std::uint64_t sessions = 16, rounds = 6;

/// Sixteen sessions of twelve blocks take turns, on a device of 160 blocks over a host of 96: together they keep what neither keeps.
/// Returns the tokens that are computed in the last round, when it is known how long each is away.
std::uint64_t play_rounds(std::uint32_t host_blocks, offload_rule rule) {
  device_over_host world({.blocks = 160, .retention = "lifecycle"}, host_blocks, {}, "lifecycle", rule);
  auto& device = world.device;
  std::uint64_t computed = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto before = world.load().tokens_computed;
    for (std::uint64_t session = 0; session < sessions; ++session) {
      auto turn = device.rig.spec(100 * round + session + 1, scheduler_rig::letters(static_cast<token_id>(100 * session), 49), 1);
      turn.owner = {session + 1};
      CHECK(device.admit(turn));
      REQUIRE(world.finish());
      device.rig.pool.set_time(device.rig.now += 1s);
      if (world.host) world.host->set_time(device.rig.now);
      CHECK(device.rig.answers[turn.id.value].tokens == device.rig.alone(turn).first);
    }
    computed = world.load().tokens_computed - before;
  }
  CHECK(device.fault() == "");
  if (world.host) CHECK_FALSE(world.host->check_integrity());
  return computed;
}

}  // namespace

TEST_CASE("lifecycle foretells who leaves next, the least worth first, once, and nobody who runs") {
  foreseeing pool;
  pool.begin(0, {0, 1, 2});
  pool.end(0, {0, 1, 2});
  pool.begin(1, {3, 4});
  pool.end(1, {3, 4});
  pool.begin(2, {5, 6});
  CHECK(pool.leaving(1) == std::vector<stream_id>{0});
  CHECK(pool.leaving(3).empty());  // it has three
  CHECK(pool.leaving(64) == std::vector<stream_id>{1});
  pool.end(2, {5, 6});
  CHECK(pool.leaving(64) == std::vector<stream_id>{2});
  const std::vector<block_index> resident{0, 1, 2};
  pool.policy->turn_started({.stream = 0, .turn = 100, .resident = resident, .blocks = 3}, pool.now);  // the same turn, told again
  CHECK(pool.leaving(64) == std::vector<stream_id>{0});
}

TEST_CASE("who was foretold to leave and stands high again stays, but for a slack") {
  foreseeing pool;
  for (const stream_id stream : {0U, 1U, 2U}) {
    const std::vector<block_index> path{3 * stream, 3 * stream + 1, 3 * stream + 2};
    pool.begin(stream, path);
    pool.end(stream, path);
  }
  CHECK(pool.leaving(4) == std::vector<stream_id>{0, 1});
  CHECK(pool.policy->take_outlooks(3, 1, pool.now).empty());  // 1 begins within the slack
  const auto stays = pool.policy->take_outlooks(3, 0, pool.now);
  REQUIRE(stays.size() == 1);
  CHECK(stays[0].stream == 1);
  CHECK_FALSE(stays[0].is_leaving);
  CHECK(pool.leaving(4) == std::vector<stream_id>{1});
  CHECK(pool.policy->victim({}, pool.now).block == 2);
  pool.policy->removed(2);
  CHECK(pool.policy->take_outlooks(0, 0, pool.now).size() == 1);  // 1 stays, 0 is no longer whole
}

TEST_CASE("what comes back by a prefetch is foretold again, whoever stays pinned is not, and a new listener hears of all") {
  foreseeing pool;
  pool.begin(0, {0, 1});
  pool.end(0, {0, 1});
  pool.begin(1, {3, 4});
  pool.end(1, {3, 4});
  CHECK(pool.leaving(1) == std::vector<stream_id>{0});
  CHECK(pool.policy->victim({}, pool.now).block == 1);
  pool.policy->removed(1);
  CHECK(pool.leaving(1).empty());
  const std::vector<block_index> back{1};
  pool.policy->stored(1, 0);
  pool.policy->context(0, back, pool.now);
  pool.policy->idle(back, pool.now);
  CHECK(pool.leaving(1) == std::vector<stream_id>{0});
  pool.policy->ranked(4, rank_pinned);
  CHECK(pool.leaving(64).empty());
  pool.policy->ranked(4, rank_default);
  CHECK(pool.leaving(64) == std::vector<stream_id>{1});
  pool.policy->forget_outlooks();
  CHECK(pool.leaving(64) == std::vector<stream_id>{0, 1});
}

TEST_CASE("what leaves unforeseen is named afterwards, what has died is not") {
  foreseeing pool;
  pool.begin(0, {0, 1});
  pool.end(0, {0, 1});
  CHECK(pool.leaving(2) == std::vector<stream_id>{0});
  pool.begin(1, {3, 4, 5});
  pool.end(1, {3, 4, 5});
  pool.begin(2, {6});
  pool.end(2, {6});
  for (const block_index expected : {1U, 0U, 5U}) {
    CHECK(pool.policy->victim({}, pool.now).block == expected);
    pool.policy->removed(expected);
  }
  const auto named = pool.policy->take_outlooks(0, 0, pool.now);
  REQUIRE(named.size() == 1);
  CHECK(named[0].stream == 1);
  CHECK(named[0].blocks == std::vector<block_index>{3, 4});
  CHECK(pool.policy->victim({}, pool.now).block == 4);
  pool.policy->removed(4);
  CHECK(pool.policy->victim({}, pool.now).block == 3);
  pool.policy->removed(3);
  CHECK(pool.policy->victim({}, pool.now).block == 6);
  pool.policy->removed(6);
  pool.policy->died(2, eviction_cause::death, pool.now);
  CHECK(pool.leaving(64).empty());
}

TEST_CASE("device and host together keep what neither keeps alone, whichever rule") {
  CHECK(play_rounds(96, offload_rule::on_eviction) == sessions);  // the last token of each prompt
  CHECK(play_rounds(96, offload_rule::write_through) == sessions);
  CHECK(play_rounds(0, offload_rule::on_eviction) > 5 * sessions);
}

TEST_CASE("a turn waits for copies of what it displaces, for so long and no longer") {
  device_over_host world({.retention = "lifecycle"}, 4, {}, "lifecycle", offload_rule::on_eviction);
  auto& device = world.device;
  CHECK(device.admit(device.rig.spec(1, scheduler_rig::letters(0, 3), 80)));
  REQUIRE(world.finish());  // the host had room for four of twenty blocks
  CHECK(device.admit(device.rig.spec(3, scheduler_rig::letters(900, 3), 120)));
  REQUIRE(world.finish());  // to be lowered when more room is needed than a quarter of the pool
  auto next = device.rig.spec(2, scheduler_rig::letters(500, 3), 200);
  next.output_tokens = 200;
  CHECK(device.admit(next));
  CHECK(device.tiers.pending() == 1);
  device.rig.now += instant(limits::leaving_copy_wait) - 1ms;
  device.settle();
  CHECK(device.tiers.pending() == 1);
  device.rig.now += 1ms;
  device.settle();
  CHECK(device.tiers.pending() == 0);
  REQUIRE(world.finish());
  CHECK(device.rig.answers[2].reason == finish_reason::length);
  CHECK(device.fault() == "");
}

TEST_CASE("a turn that ends before it runs leaves its copies as they were, wherever it waited") {
  device_over_host world({.retention = "lifecycle"}, 100, {}, "lifecycle", offload_rule::on_eviction);
  auto& device = world.device;
  const auto outlooks = [&] {
    std::vector<turn_outlook> said;
    for (const auto& each : device.out)
      if (const auto* outlook = std::get_if<turn_outlook>(&each)) said.push_back(*outlook);
    device.out.clear();
    return said;
  };
  CHECK(device.admit(device.rig.spec(1, scheduler_rig::letters(0, 20), 2)));  // its question to the tier is not answered
  outlooks();
  device.cancel(1);
  auto said = outlooks();
  REQUIRE(said.size() == 1);
  CHECK(said[0].owner == owner_id{1});
  CHECK(said[0].is_leaving);
  CHECK_FALSE(said[0].turn);
  CHECK(device.admit(device.rig.spec(2, scheduler_rig::letters(100, 3), 200)));
  device.plan();
  auto waits = device.rig.spec(3, scheduler_rig::letters(200, 3), 200);
  waits.output_tokens = 200;
  waits.deadline = device.rig.now + 5s;
  CHECK(device.admit(waits));
  CHECK(device.tiers.pending() == 1);
  outlooks();
  device.rig.now += 5s;
  device.settle();
  said = outlooks();
  REQUIRE(said.size() == 1);
  CHECK(said[0].owner == owner_id{3});
  CHECK(device.rig.answers[3].reason == finish_reason::deadline);
  CHECK(device.fault() == "");
}

TEST_CASE("what is offered again while it is under way, or still waits, is offered when the tier has refused it") {
  const block_hasher hasher(std::uint64_t{5}, 4);
  block_pool pool({.block_count = 200, .block_tokens = 4});
  fake_backend device(200, 4, 1, 9, 1);
  offloader up(pool, device);
  const auto tokens = scheduler_rig::letters(0, 400);
  std::vector<block_identity> chain;
  std::vector<block_index> table;
  hasher.extend(chain, tokens);
  REQUIRE(pool.acquire_private(100, table));
  for (std::uint32_t i = 0; i < 100; ++i)
    pool.publish(table[i], chain[i], i == 0 ? hasher.root() : chain[i - 1].hash, std::span(tokens).subspan(i * 4, 4), {1}, {});
  up.note(pool.take_events());
  const auto first = up.offer(instant{0});
  REQUIRE(first);
  CHECK(first->blocks.size() == limits::offload_blocks_max);
  up.granted({first->transfer, std::vector<std::byte*>(first->blocks.size(), nullptr), nullptr, true});
  CHECK_FALSE(up.is_saving());
  const std::vector<block_index> foretold{table[0], table[1], table[99]};
  up.offer_again(foretold);
  CHECK(up.is_saving());  // the last one, which has only waited so far
  const auto [ticket, result] = device.complete_one();
  REQUIRE(up.complete(ticket, result));
  const auto second = up.offer(instant{0});
  REQUIRE(second);
  REQUIRE(second->blocks.size() == 100 - limits::offload_blocks_max + 2);
  CHECK(second->blocks[0].identity == chain[99]);
  CHECK(second->blocks[1].identity == chain[0]);
  CHECK(second->blocks[2].identity == chain[1]);
}

TEST_CASE("what is demoted is foretold to leave, all of it") {
  device_over_host world({.retention = "lifecycle"}, 48, {}, "lifecycle", offload_rule::on_eviction);
  auto& device = world.device;
  CHECK(device.admit(device.rig.spec(1, scheduler_rig::letters(0, 20), 2)));
  REQUIRE(world.finish());
  CHECK(device.tiers.demote({1}) == 5);
  device.settle();
  REQUIRE(device.out.size() == 1);
  const auto* outlook = std::get_if<turn_outlook>(&device.out.front());
  REQUIRE(outlook != nullptr);
  CHECK(outlook->owner == owner_id{1});
  CHECK(outlook->is_leaving);
  CHECK_FALSE(outlook->turn);
}
