// What a worker tells the router shards: its blocks in order, and its load.
#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "test/support/worker_world.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("a shard that joins gets a snapshot and the load, then every change in order") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto log = std::make_shared<listener_log>();
  listen(world, log);
  REQUIRE(log->blocks.size() == 1);
  CHECK(log->blocks[0].snapshot);
  CHECK(log->blocks[0].worker == worker_id{3});
  CHECK(log->blocks[0].epoch == 9);
  CHECK(log->blocks[0].first == 0);
  CHECK(log->blocks[0].events.empty());
  REQUIRE(log->loads.size() == 1);
  CHECK(log->loads[0].free_blocks == 16);

  const auto request = admission(1);
  world.tell(world.worker, request, sink);
  world.finish_all();
  std::vector<core::block_event> changes;
  for (std::size_t each = 1; each < log->blocks.size(); ++each) {
    CHECK_FALSE(log->blocks[each].snapshot);
    CHECK(log->blocks[each].epoch == 9);
    CHECK(log->blocks[each].first == changes.size());
    changes.insert(changes.end(), log->blocks[each].events.begin(), log->blocks[each].events.end());
  }
  REQUIRE(changes.size() >= 2);
  CHECK(changes[0] == core::block_event{core::block_event::kind::stored, request.chain[0], {}});
  CHECK(changes[1] == core::block_event{core::block_event::kind::stored, request.chain[1], request.chain[0].hash});

  auto later = std::make_shared<listener_log>();
  listen(world, later);
  REQUIRE(later->blocks.size() == 1);
  CHECK(later->blocks[0].snapshot);
  CHECK(later->blocks[0].first == changes.size());
  CHECK(later->blocks[0].events == changes);
}

TEST_CASE("a shard that lost count gets a snapshot, the other shards do not") {
  worker_world world;
  world.start();
  auto log = std::make_shared<listener_log>(), other = std::make_shared<listener_log>();
  auto shard = listen(world, log);
  listen(world, other);
  caf::send_as(caf::actor_cast<caf::actor>(shard), caf::actor_cast<caf::actor>(world.worker), snapshot_request{{3}});
  world.run();
  REQUIRE(log->blocks.size() == 2);
  CHECK(log->blocks[1].snapshot);
  CHECK(other->blocks.size() == 1);
  world.tell(world.worker, snapshot_request{{3}});  // from nobody in particular
  CHECK(log->blocks.size() == 3);
  CHECK(other->blocks.size() == 2);
}

TEST_CASE("a dead owner's blocks are freed, counted and announced") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto log = std::make_shared<listener_log>();
  listen(world, log);
  world.tell(world.worker, admission(1), sink);
  world.finish_all();
  const auto cached = world.status().blocks_cached;
  REQUIRE(cached >= 2);
  auto released = world.request<owner_released>(world.worker, owner_release{{1}});
  CHECK(released.get().blocks_freed == cached);
  CHECK(removed_by(world.status().blocks_removed, core::eviction_cause::death) == cached);
  CHECK(world.status().blocks_free == 16);
  CHECK(log->blocks.back().events.size() == cached);
  for (const auto& event : log->blocks.back().events) CHECK(event.what == core::block_event::kind::removed);
  CHECK(world.request<owner_released>(world.worker, owner_release{{1}}).get().blocks_freed == 0);
}

TEST_CASE("the load is reported every interval while there is work, once at the end of it, and then no more") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto log = std::make_shared<listener_log>();
  listen(world, log);
  log->loads.clear();
  world.tell(world.worker, admission(1, 10, 20), sink);
  world.advance(limits::load_report_interval * 3 + 50ms);
  REQUIRE(log->loads.size() == 3);
  CHECK(log->loads[0].running == 1);
  CHECK(log->loads[0].epoch == 9);
  world.finish_all();
  REQUIRE(log->loads.size() == 4);
  CHECK(log->loads[3].running == 0);
  CHECK(log->loads[3].evictable_blocks > 0);
  world.advance(1s);
  CHECK(log->loads.size() == 4);
  world.tell(world.worker, admission(2, 10, 20, 500), sink);
  world.advance(limits::load_report_interval);
  CHECK(log->loads.size() == 5);
}

TEST_CASE("a worker's blocks have the roles of the prompt, then of the answer, and the last word is the session's") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto asked = admission(1, 9, 8);
  asked.roles = {{core::block_role::system, 4}, {core::block_role::user, 9}};
  world.tell(world.worker, asked, sink);
  world.finish_all();
  // Blocks 0 to 3 of 17 tokens, of which the last has no KV: one of them begins with the prompt's last token.
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{0, 1, 0, 1, 0, 0, 2});
  auto whole = asked.tokens;
  for (const auto& each : tokens_of(*progress)) whole.push_back(each);
  std::vector<core::block_identity> chain;
  core::block_hasher{seed, block_tokens}.extend(chain, whole);
  turn_outcome outcome;
  outcome.id = {1};
  outcome.owner = {1};
  outcome.roles = {{chain[2], core::block_role::reasoning}};
  world.request<pause_forecast>(world.worker, outcome);
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{0, 1, 0, 1, 0, 1, 1});
  CHECK(world.status().integrity.empty());
}

TEST_CASE("an admission with too many ranges is refused, one with odd ones is not") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto asked = admission(1);
  asked.roles.assign(limits::role_ranges_max + 1, {core::block_role::user, 3});
  CHECK(world.request<request_id>(world.worker, asked, sink).error().code == errc::invalid_request);
  asked.roles = {{core::block_role::user, 900}, {core::block_role::tools, 2}};
  CHECK(world.request<request_id>(world.worker, asked, sink).get() == request_id{1});
  world.finish_all();
  CHECK(world.status().integrity.empty());
}

TEST_CASE("a dead owner's head stays under its heir, and is counted") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  const auto asked = admission(1, 13, 1);
  world.tell(world.worker, asked, sink);
  world.finish_all();
  REQUIRE(world.status().blocks_cached == 3);
  owner_release release{{1}};
  release.heir = {77};
  release.head = {asked.chain[0], asked.chain[1]};
  CHECK(world.request<owner_released>(world.worker, release).get().blocks_freed == 1);
  CHECK(world.status().blocks_inherited == 2);
  CHECK(removed_by(world.status().blocks_removed, core::eviction_cause::death) == 1);
  CHECK(world.request<owner_released>(world.worker, owner_release{{77}}).get().blocks_freed == 2);
}
