// A worker over a host tier over a store, one of which dies in the middle: the turn has the tokens it would have had alone, and nothing
// stays leased or reserved.
#include "test/support/host_world.hpp"
#include "test/support/worker_world.hpp"

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct faulty_world : host_world {
  std::shared_ptr<manual_device> device;
  worker_actor worker;
  store_peer store = a_store();
  std::pair<sequence_sink_actor, inbox<sequence_progress>> session = probe<sequence_sink_actor, sequence_progress>();
  std::uint64_t turns = 0;

  faulty_world() {
    connect({store});
    start_worker();
  }
  void start_worker() {
    device = std::make_shared<manual_device>();
    actors::worker_setup setup;
    setup.device.worker = {1};
    setup.device.model = {"m"};
    setup.device.scheduler.context_tokens_max = 60;
    setup.device.pool.block_tokens = width;
    setup.make_backend = [device = device](core::backend::completion done) -> expected<std::unique_ptr<core::backend>> {
      return std::unique_ptr<core::backend>{std::make_unique<manual_backend>(device, std::move(done))};
    };
    worker = spawn(troupe::actors::worker, setup);
    tell(worker, actors::tier_below{tier});
  }
  /// A turn whose prompt has five full blocks, and waits for them.
  void begin_turn() {
    session.second->clear();
    tell(worker, admission(++turns, 21), session.first);
    CHECK(device->submitted.empty());
  }
  void find_all() {
    find(store, 5);
    CHECK(status().blocks_leased == 5);
  }
  void finish() {
    while (!device->submitted.empty() || !device->transfers.empty()) {
      if (device->transfers.empty())
        device->finish();
      else
        device->finish_transfer();
      run();
    }
  }
  /// The turn is what it is alone, and the worker holds nothing for it.
  void check_turn(std::uint32_t cached_tokens) {
    finish();
    CHECK(tokens_of(*session.second) == token_list{21, 22, 23});
    REQUIRE_FALSE(session.second->empty());
    CHECK(session.second->front().cached_tokens == cached_tokens);
    CHECK(session.second->back().reason == core::finish_reason::length);
    const auto now = request<worker_status>(worker, worker_status_request{}).get();
    CHECK(now.blocks_leased == 0);
    CHECK(now.running + now.waiting == 0);
    CHECK(now.integrity == "");
  }
};

}  // namespace

TEST_CASE("a store that is killed between get and got costs a turn its hits") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.end(world.store.handle, caf::exit_reason::kill);
  world.check_turn(0);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_failed == 5);
}

TEST_CASE("a store that never answers costs a turn its hits and the wait") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.advance(limits::tier_wait);
  world.check_turn(0);
  CHECK(world.status().blocks_failed == 5);
  world.end(world.store.handle, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a worker that is killed while its lease is copied gives it back, and its successor leases the same blocks") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.bring(world.store, 5);
  REQUIRE(world.device->transfers.size() == 1);
  CHECK(world.device->transfers[0].plan.moves.size() == 5);
  CHECK(world.status().blocks_leased == 5);
  world.end(world.worker, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_cached == 5);
  world.start_worker();
  world.begin_turn();
  CHECK(world.store.heard->finds.size() == 1);
  world.check_turn(20);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a worker that is killed while a store loads for it leaves the blocks to its successor") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.end(world.worker, caf::exit_reason::kill);
  world.start_worker();
  world.begin_turn();
  CHECK(world.store.heard->finds.size() == 1);
  world.bring(world.store, 5);
  world.check_turn(20);
  CHECK(world.store.heard->gets.size() == 1);
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a host tier that is killed in the middle of a load lets the turn compute, and its store may go on writing") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.end(world.tier, caf::exit_reason::kill);
  world.bring(world.store, 5);  // the memory is there as long as the question is
  world.check_turn(0);
}

TEST_CASE("a host tier that is killed while its lease is copied costs nothing: its memory stays until the copy is there") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.bring(world.store, 5);
  world.store.heard->gets.clear();
  world.end(world.tier, caf::exit_reason::kill);
  REQUIRE(world.device->transfers.size() == 1);
  const auto& grant = world.device->transfers[0].plan;
  for (std::size_t i = 0; i < 5; ++i) CHECK(world.holds(admission(1, 21).chain[i], grant.moves[i].host));
  world.check_turn(20);
}

TEST_CASE("a copy of a lease that fails lets the turn compute and gives the lease back") {
  faulty_world world;
  world.begin_turn();
  world.find_all();
  world.bring(world.store, 5);
  REQUIRE(world.device->transfers.size() == 1);
  world.device->finish_transfer(errc::io_failed);
  world.run();
  CHECK(world.status().blocks_leased == 0);
  world.check_turn(0);
  CHECK(world.request<worker_status>(world.worker, worker_status_request{}).get().transfer_failures == 1);
}
