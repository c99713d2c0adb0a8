// One host tier towards its stores, which answer late, twice, with absurd numbers, never, or end.
#include "messages/base/limits.hpp"
#include "test/support/host_world.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("what is used again is put into every store once, and again when a store could not take it") {
  host_world world;
  const auto worker = world.a_worker(), stranger = world.a_worker();
  const auto near = world.a_store(), far = world.a_store();
  world.connect({near, far});
  const auto chain = world.chain_of(0, 3);
  world.fill(worker, *chain, 1);
  CHECK(near.heard->puts.empty());
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  REQUIRE(near.heard->puts.size() == 1);
  REQUIRE(far.heard->puts.size() == 1);
  const auto& put = near.heard->puts[0];
  REQUIRE(put.blocks.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(put.blocks[i].identity == chain->blocks[i]);
    CHECK(world.holds(chain->blocks[i], put.slots[i]));
  }
  CHECK(world.status().blocks_leased == 3);
  world.say(near, world.tier, core::store_put_done{put.transfer, true});
  world.say(near, world.tier, core::store_put_done{put.transfer, true});
  world.say(stranger, world.tier, core::store_put_done{put.transfer, true});
  world.say(far, world.tier, core::store_put_done{put.transfer + 1, true});
  CHECK(world.status().blocks_leased == 3);  // the far one has not answered
  world.say(far, world.tier, core::store_put_done{put.transfer, false});
  CHECK(world.status().blocks_leased == 0);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  REQUIRE(near.heard->puts.size() == 2);
  world.end(far.handle, caf::exit_reason::kill);
  world.say(near, world.tier, core::store_put_done{near.heard->puts[1].transfer, true});
  CHECK(world.status().blocks_leased == 0);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  REQUIRE(near.heard->puts.size() == 3);
  world.say(near, world.tier, core::store_put_done{near.heard->puts[2].transfer, true});
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  CHECK(near.heard->puts.size() == 3);
}

TEST_CASE("what a store has is brought before the worker is answered, announced, and not put again") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  const auto shard = world.a_shard();
  world.connect({store});
  world.tell(world.tier, shard_joined{0}, shard.handle);
  const auto chain = world.chain_of(0, 3);
  world.ask(worker, chain, 1);
  REQUIRE(store.heard->finds.size() == 1);
  CHECK(store.heard->finds[0].from == 0);
  world.find(store, 3);
  REQUIRE(store.heard->gets.size() == 1);
  CHECK(store.heard->gets[0].slots.size() == 3);
  CHECK(worker.heard->leases.empty());
  CHECK(world.status().blocks_leased == 3);
  CHECK(world.status().blocks_cached == 0);
  world.bring(store, 3);
  REQUIRE(worker.heard->leases.size() == 1);
  REQUIRE(worker.heard->leases[0].slots.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(world.holds(chain->blocks[i], worker.heard->leases[0].slots[i]));
  REQUIRE(shard.heard->size() == 2);
  CHECK(shard.heard->back().events.size() == 3);
  world.end_all(worker);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  CHECK(store.heard->puts.empty());
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("siblings that start together read a store once") {
  host_world world;
  const auto store = world.a_store();
  world.connect({store});
  const auto chain = world.chain_of(0, 6);
  std::vector<tier_fixture::worker_peer> workers;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    workers.push_back(world.a_worker());
    world.ask(workers.back(), chain, i);
    if (i == 4) world.find(store, 6);
  }
  world.bring(store, 6);
  CHECK(store.heard->finds.size() == 1);
  CHECK(store.heard->gets.size() == 1);
  for (const auto& worker : workers) {
    REQUIRE(worker.heard->leases.size() == 1);
    CHECK(worker.heard->leases[0].slots.size() == 6);
    world.end_all(worker);
  }
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_read == 48);
}

TEST_CASE("a store that never answers costs a question its deadline, keeps its slots, and nobody else waits for it") {
  host_world world;
  const auto worker = world.a_worker(), sibling = world.a_worker(), later = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  const auto chain = world.chain_of(0, 3);
  world.ask(worker, chain, 1);
  world.find(store, 3);
  world.advance(1s);
  world.ask(sibling, chain, 2);
  world.advance(limits::tier_wait - 1s - 10ms);
  CHECK(worker.heard->leases.empty());
  world.advance(10ms);
  REQUIRE(worker.heard->leases.size() == 1);
  CHECK(worker.heard->leases[0].slots.empty());
  CHECK(sibling.heard->leases.empty());
  world.advance(1s);
  REQUIRE(sibling.heard->leases.size() == 1);
  CHECK(sibling.heard->leases[0].slots.empty());
  CHECK(world.status().blocks_leased == 3);
  CHECK(world.status().blocks_failed == 3);
  world.ask(later, chain, 3);
  REQUIRE(later.heard->leases.size() == 1);
  CHECK(store.heard->finds.size() == 1);
  world.bring(store, 3);  // late
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_cached == 3);
  world.ask(later, chain, 3);
  CHECK(later.heard->leases[1].slots.size() == 3);
  world.end_all(later);
  world.advance(limits::tier_wait);
  CHECK(worker.heard->leases.size() == 1);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("answers that come twice, out of turn or with absurd numbers are of no account") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store(), other = world.a_store();
  world.connect({store, other});
  const auto chain = world.chain_of(0, 3);
  world.ask(worker, chain, 1);
  const auto load = store.heard->finds[0].load;
  world.say(other, world.tier, core::store_found{load, 3});
  world.tell(world.tier, core::store_found{load, 3});  // from nobody
  world.say(store, world.tier, core::store_got{load, 3});
  CHECK(store.heard->gets.empty());
  world.say(store, world.tier, core::store_found{load, 4'294'967'295});
  world.say(store, world.tier, core::store_found{load, 4'294'967'295});
  REQUIRE(store.heard->gets.size() == 1);
  CHECK(store.heard->gets[0].slots.size() == 3);
  world.say(other, world.tier, core::store_got{load, 3});
  CHECK(worker.heard->leases.empty());
  world.bring(store, 3);
  world.say(store, world.tier, core::store_got{load, 4'294'967'295});
  REQUIRE(worker.heard->leases.size() == 1);
  CHECK(worker.heard->leases[0].slots.size() == 3);
  world.end_all(worker);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_cached == 3);
}

TEST_CASE("a store that dies between get and got had nothing: its slots are free, the next store and its successor are asked") {
  host_world world;
  const auto worker = world.a_worker(), sibling = world.a_worker();
  const auto near = world.a_store(), far = world.a_store();
  world.connect({near, far});
  const auto chain = world.chain_of(0, 3);
  world.ask(worker, chain, 1);
  world.ask(sibling, chain, 2);
  world.find(near, 3);
  CHECK(world.status().blocks_leased == 3);
  world.end(near.handle, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_failed == 3);
  for (const auto& each : {worker, sibling}) {
    REQUIRE(each.heard->leases.size() == 1);
    CHECK(each.heard->leases[0].slots.empty());
  }
  world.ask(worker, chain, 1);
  CHECK(far.heard->finds.size() == 1);
  world.find(far, 0);
  const auto successor = world.a_store();
  world.connect({successor, far});
  world.ask(worker, chain, 1);
  world.find(successor, 3);
  world.bring(successor, 3);
  REQUIRE(worker.heard->leases.size() == 3);
  CHECK(worker.heard->leases[2].slots.size() == 3);
  world.end_all(worker);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("an owner that dies while its blocks are loaded is answered at once, and what arrives for it alone is not kept") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  world.ask(worker, world.chain_of(0, 3), 1);
  world.find(store, 3);
  CHECK(world.request<owner_released>(world.tier, owner_release{{1}}).get().blocks_freed == 0);
  REQUIRE(worker.heard->leases.size() == 1);
  CHECK(worker.heard->leases[0].slots.empty());
  CHECK(world.status().blocks_leased == 3);
  world.bring(store, 3);
  CHECK(world.status().blocks_free == 16);
}

TEST_CASE("what a store brings more slowly than it is computed is left there, once that is known, and counted") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  world.ask(worker, world.chain_of(0, 4), 1, 0.001);
  world.find(store, 4);
  world.advance(400ms);  // 100 ms per block
  world.bring(store, 4);
  CHECK(worker.heard->leases.at(0).slots.size() == 4);
  world.ask(worker, world.chain_of(500, 3), 2, 0.099);
  world.find(store, 3);
  CHECK(store.heard->gets.size() == 1);
  CHECK(worker.heard->leases.at(1).slots.empty());
  CHECK(world.status().blocks_recomputed == 3);
  world.ask(worker, world.chain_of(500, 3), 2, 0.101);
  world.find(store, 3);
  CHECK(store.heard->gets.size() == 2);
  world.bring(store, 3);
  CHECK(worker.heard->leases.at(2).slots.size() == 3);
  CHECK(world.status().blocks_recomputed == 3);
  world.end_all(worker);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a put that a store does not finish is given up at its deadline, and its blocks are held until the store is done with it") {
  host_world world;
  const auto worker = world.a_worker();
  const auto stuck = world.a_store(), good = world.a_store();
  world.connect({stuck, good});
  const auto chain = world.chain_of(0, 3), next = world.chain_of(500, 2);
  world.fill(worker, *chain, 1);
  world.fill(worker, *next, 2);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  REQUIRE(stuck.heard->puts.size() == 1);
  const auto transfer = stuck.heard->puts[0].transfer;
  world.say(good, world.tier, core::store_put_done{transfer, true});
  world.say(worker, world.tier, core::chain_touch{{2}, next});
  CHECK(good.heard->puts.size() == 1);  // one at a time
  world.advance(limits::store_put_wait - 1ms);
  CHECK(stuck.heard->cancelled.empty());
  world.advance(1ms);
  CHECK(stuck.heard->cancelled == std::vector<std::uint64_t>{transfer});
  CHECK(good.heard->cancelled.empty());
  CHECK(world.status().blocks_given_up == 3);
  CHECK(world.status().blocks_leased == 5);  // 3 that may be read yet, 2 on their way to the other store
  REQUIRE(good.heard->puts.size() == 2);
  CHECK(stuck.heard->puts.size() == 1);
  world.say(good, world.tier, core::store_put_done{good.heard->puts[1].transfer, true});
  world.say(worker, world.tier, core::chain_touch{{1}, chain});  // as if it had not been put
  REQUIRE(good.heard->puts.size() == 3);
  CHECK(good.heard->puts[2].blocks.size() == 3);
  world.say(good, world.tier, core::store_put_done{good.heard->puts[2].transfer, true});
  CHECK(world.status().blocks_leased == 3);
  world.say(stuck, world.tier, core::store_put_done{transfer, true});
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_given_up == 3);
  const auto last = world.chain_of(700, 1);
  world.fill(worker, *last, 3);
  world.say(worker, world.tier, core::chain_touch{{3}, last});
  CHECK(stuck.heard->puts.size() == 2);  // it is asked again
  CHECK(good.heard->puts.size() == 4);
}

TEST_CASE("a store that ends owes nothing that was given up, and its successor is asked") {
  host_world world;
  const auto worker = world.a_worker();
  const auto stuck = world.a_store();
  world.connect({stuck});
  const auto chain = world.chain_of(0, 3);
  world.fill(worker, *chain, 1);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  world.advance(limits::store_put_wait);
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  CHECK(stuck.heard->puts.size() == 1);
  CHECK(world.status().blocks_leased == 3);
  world.end(stuck.handle, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 0);
  const auto successor = world.a_store();
  world.connect({successor});
  world.say(worker, world.tier, core::chain_touch{{1}, chain});
  CHECK(successor.heard->puts.size() == 1);
}

TEST_CASE("what a limit kept off the stores is put when an owner without it comes to use it, and remembers how far down it went") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  const auto chain = world.chain_of(0, 2);
  const auto use = [&](std::uint64_t owner, core::tier_level lowest) {
    core::turn_opening opening;
    opening.turn = owner;
    opening.max_tier = lowest;
    world.say(worker, world.tier, core::chain_touch{{owner}, chain, opening});
  };
  world.fill(worker, *chain, 1);
  use(1, core::tier_level::host);
  use(1, core::tier_level::host);
  CHECK(store.heard->puts.empty());
  use(2, core::tier_level::disk);
  REQUIRE(store.heard->puts.size() == 1);
  CHECK(store.heard->puts[0].lowest == std::vector(2, core::tier_level::disk));
  world.say(store, world.tier, core::store_put_done{store.heard->puts[0].transfer, true});
  use(2, core::tier_level::disk);
  CHECK(store.heard->puts.size() == 1);
  use(3, core::tier_level::remote);
  REQUIRE(store.heard->puts.size() == 2);
  CHECK(store.heard->puts[1].lowest == std::vector(2, core::tier_level::remote));
  world.say(store, world.tier, core::store_put_done{store.heard->puts[1].transfer, true});
  use(3, core::tier_level::remote);
  use(1, core::tier_level::host);
  CHECK(store.heard->puts.size() == 2);
}

TEST_CASE("the stores hear what owners wish and give up") {
  host_world world;
  const auto store = world.a_store();
  world.connect({store});
  const auto chain = world.chain_of(0, 2);
  const owner_intent intent{{1}, 4, {{chain->blocks[1], 2, core::rank_pinned, 1000}}, chain->blocks};
  world.tell(world.tier, intent);
  CHECK(*store.heard->intents.begin() == intent);
  CHECK(world.request<owner_released>(world.tier, owner_release{{1}, true}).get().blocks_freed == 0);
  REQUIRE(store.heard->releases.size() == 1);
  CHECK(store.heard->releases[0] == owner_release{{1}, true});
  CHECK(store.heard->drops.empty());
}

TEST_CASE("roles come with the blocks, are corrected at the end of a turn, and go on to the store and to the next worker") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  auto known = std::make_shared<core::tier_chain>(*world.chain_of(0, 3));
  known->roles = {{core::block_role::tools, 4}, {core::block_role::output, 12}};
  world.fill(worker, *known, 1);
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{0, 0, 1, 0, 0, 0, 2});
  world.say(worker, world.tier, core::turn_closing{{1}, {}, {{known->blocks[2], core::block_role::reasoning}}});
  world.ask(worker, world.chain_of(0, 3), 1);
  using role = core::block_role;
  REQUIRE(worker.heard->leases.size() == 1);
  CHECK(worker.heard->leases[0].roles == std::vector{role::tools, role::output, role::reasoning});
  REQUIRE(store.heard->puts.size() == 1);
  REQUIRE(store.heard->puts[0].blocks.size() == 3);
  CHECK(store.heard->puts[0].blocks[0].role == role::tools);
  CHECK(store.heard->puts[0].blocks[2].role == role::reasoning);
}

TEST_CASE("a role comes back from a store, and where the store knows none the prompt says it") {
  host_world world;
  const auto worker = world.a_worker();
  const auto store = world.a_store();
  world.connect({store});
  auto chain = std::make_shared<core::tier_chain>(*world.chain_of(0, 3));
  chain->roles = {{core::block_role::user, 12}};
  world.ask(worker, chain, 1);
  world.find(store, 3);
  const auto& get = store.heard->gets.back();
  using role = core::block_role;
  world.say(store, world.tier, core::store_got{get.load, 3, {role::system, role::unknown}});
  REQUIRE(worker.heard->leases.size() == 1);
  CHECK(worker.heard->leases[0].roles == std::vector{role::system, role::user, role::user});
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{0, 1, 0, 2, 0, 0, 0});
}
