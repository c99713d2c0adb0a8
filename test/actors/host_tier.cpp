// One host tier towards its workers and shards.
#include "actors/host_tier.hpp"

#include "test/support/host_world.hpp"

using namespace troupe;
using namespace troupe::test;

using kind = core::block_event::kind;

TEST_CASE("what is committed is leased where it was written, from grant to end") {
  host_world world;
  const auto worker = world.a_worker();
  const auto chain = world.chain_of(0, 3);
  const auto written = world.fill(worker, *chain, 1);
  CHECK(written.transfer == 1);
  CHECK(world.status().blocks_leased == 0);
  const auto asked = world.ask(worker, chain, 1);
  REQUIRE(worker.heard->leases.size() == 1);
  const auto& grant = worker.heard->leases[0];
  CHECK(grant.number == asked.number);
  CHECK(grant.id == request_id{101});
  CHECK(grant.slots == written.slots);
  for (std::size_t i = 0; i < 3; ++i) CHECK(world.holds(chain->blocks[i], grant.slots[i]));
  auto status = world.status();
  CHECK(status.tier == worker_id{7});
  CHECK(status.epoch == 3);
  CHECK(status.bytes_total == 16 * 64);
  CHECK(status.blocks_cached == 3);
  CHECK(status.blocks_leased == 3);
  CHECK(status.blocks_read == 3);
  world.say(worker, world.tier, core::lease_end{asked.number});
  world.say(worker, world.tier, core::lease_end{asked.number});  // said twice
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a slot is null for what is there already or has no room, and an aborted copy leaves nothing") {
  host_world world(4);
  const auto worker = world.a_worker();
  const auto chain = world.chain_of(0, 3);
  world.fill(worker, *chain, 1);
  CHECK(world.offer(worker, *chain).slots == std::vector<std::byte*>{nullptr, nullptr, nullptr});
  world.ask(worker, chain, 1);  // leased: nothing may leave
  const auto other = world.offer(worker, *world.chain_of(500, 2));
  CHECK(other.slots[0] != nullptr);
  CHECK(other.slots[1] == nullptr);
  CHECK(world.status().blocks_leased == 4);
  CHECK(world.status().blocks_refused == 1);
  world.say(worker, world.tier, core::slot_commit{other.transfer, false, {}});
  world.say(worker, world.tier, core::slot_commit{other.transfer, true, {{owner_id{1}}, {owner_id{1}}}});  // too late
  world.end_all(worker);
  CHECK(world.status().blocks_cached == 3);
  CHECK(world.status().blocks_free == 1);
}

TEST_CASE("shards hear of every change in order, evictions included, and whoever lost count gets a snapshot") {
  host_world world(4);
  const auto worker = world.a_worker();
  const auto chain = world.chain_of(0, 3), next = world.chain_of(500, 2);
  world.fill(worker, *chain, 1);
  const auto shard = world.a_shard(), other = world.a_shard();
  world.tell(world.tier, shard_joined{0}, shard.handle);
  world.tell(world.tier, shard_joined{1}, other.handle);
  auto& heard = *shard.heard;
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].snapshot);
  CHECK(heard[0].worker == worker_id{7});
  CHECK(heard[0].epoch == 3);
  CHECK(heard[0].first == 3);
  CHECK(heard[0].events == std::vector<core::block_event>{{kind::stored, chain->blocks[0], {}},
                                                          {kind::stored, chain->blocks[1], chain->blocks[0].hash},
                                                          {kind::stored, chain->blocks[2], chain->blocks[1].hash}});
  world.fill(worker, *next, 2);
  REQUIRE(heard.size() == 3);
  CHECK(heard[1].first == 3);
  CHECK(heard[1].events == std::vector<core::block_event>{{kind::removed, chain->blocks[2], {}}});
  CHECK(heard[2].first == 4);
  CHECK(heard[2].events ==
        std::vector<core::block_event>{{kind::stored, next->blocks[0], {}}, {kind::stored, next->blocks[1], next->blocks[0].hash}});
  world.say(shard, world.tier, snapshot_request{{7}});
  REQUIRE(heard.size() == 4);
  CHECK(heard[3].snapshot);
  CHECK(heard[3].first == 6);
  CHECK(heard[3].events.size() == 4);
  CHECK(other.heard->size() == 3);
}

TEST_CASE("a dead owner's blocks are freed, announced and dropped below; one that rests keeps what the stores have") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  const auto shard = world.a_shard();
  world.connect({store});
  const auto dead = world.chain_of(0, 3), resting = world.chain_of(500, 2);
  world.fill(worker, *dead, 1);
  world.fill(worker, *resting, 2);
  world.tell(world.tier, shard_joined{0}, shard.handle);
  CHECK(world.request<owner_released>(world.tier, owner_release{{1}}).get().blocks_freed == 3);
  CHECK(shard.heard->back().events == std::vector<core::block_event>{{kind::removed, dead->blocks[2], {}},
                                                                     {kind::removed, dead->blocks[1], {}},
                                                                     {kind::removed, dead->blocks[0], {}}});
  REQUIRE(store.heard->drops.size() == 1);
  CHECK(store.heard->drops[0].hashes.size() == 3);
  CHECK(world.request<owner_released>(world.tier, owner_release{{2}, true}).get().blocks_freed == 2);
  CHECK(store.heard->drops.size() == 1);
  CHECK(world.status().blocks_free == 16);
  CHECK(removed_by(world.status().blocks_removed, core::eviction_cause::death) == 5);
}

TEST_CASE("a worker that dies with slots, a lease and a question gives all of them back") {
  host_world world;
  const auto store = world.a_store();
  const auto worker = world.a_worker(), other = world.a_worker();
  world.connect({store});
  const auto chain = world.chain_of(0, 3);
  world.fill(worker, *chain, 1);
  world.ask(worker, chain, 1);
  world.say(store, world.tier, core::store_put_done{store.heard->puts.at(0).transfer, true});
  world.offer(worker, *world.chain_of(500, 2));
  const auto wanted = world.chain_of(900, 4);
  world.ask(worker, wanted, 2);
  world.find(store, 4);
  CHECK(world.status().blocks_leased == 3 + 2 + 4);
  world.end(worker.handle, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 4);  // the store still writes into these
  world.bring(store, 4);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_cached == 7);
  world.ask(other, wanted, 2);
  REQUIRE(other.heard->leases.size() == 1);
  CHECK(other.heard->leases[0].slots.size() == 4);
  CHECK(store.heard->finds.size() == 1);
}

TEST_CASE("commits and ends of someone who never asked are of no account") {
  host_world world;
  const auto worker = world.a_worker(), stranger = world.a_worker();
  const auto chain = world.chain_of(0, 3);
  world.fill(worker, *chain, 1);
  const auto asked = world.ask(worker, chain, 1);
  const auto slots = world.offer(worker, *world.chain_of(500, 1));
  world.say(stranger, world.tier, core::lease_end{asked.number});
  world.say(stranger, world.tier, core::slot_commit{slots.transfer, false, {}});
  CHECK(world.status().blocks_leased == 4);
}
