// One disk tier alone over a real folder: what it keeps, what a damaged or absent folder costs, and what its end leaves.
#include "actors/disk_tier.hpp"

#include <filesystem>
#include <fstream>
#include <span>

#include "test/store/stored_samples.hpp"
#include "test/support/tier_world.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using kind = core::block_event::kind;

struct disk_world : tier_fixture {
  test::temporary_folder scratch;
  actors::disk_tier_setup setup;
  actors::store_tier_actor tier;
  host_peer host = a_host();
  std::uint64_t transfers = 0;
  std::vector<std::byte> memory;

  disk_world() {
    block_bytes = 8192;
    setup.about = {{9}, {"m"}, 2, {11}, store::scope_of(7), block_bytes, 1'000'000};
    setup.store = store::test::small_options(scratch.path / "disk");
    setup.store.use_uring = false;
  }
  void start() { tier = spawn(actors::disk_tier, setup); }
  tier_status status() { return status_of(tier_actor{tier}); }
  core::store_put put_of(const core::tier_chain& chain) {
    core::store_put put{++transfers, blocks_of(chain), {}, nullptr};
    memory.resize(chain.blocks.size() * block_bytes);
    for (std::size_t i = 0; i < chain.blocks.size(); ++i) {
      write(chain.blocks[i], memory.data() + i * block_bytes);
      put.slots.push_back(memory.data() + i * block_bytes);
    }
    return put;
  }
  bool put(const core::tier_chain& chain) {
    say(host, tier, put_of(chain), host.handle);
    return host.heard->puts.back().is_complete;
  }
  std::uint32_t find(std::shared_ptr<const core::tier_chain> chain, std::uint32_t from = 0) {
    say(host, tier, core::store_find{++transfers, std::move(chain), from}, host.handle);
    CHECK(host.heard->found.back().load == transfers);
    return host.heard->found.back().blocks;
  }
  core::store_get get_of(std::shared_ptr<const core::tier_chain> chain, std::uint32_t from) {
    core::store_get get{++transfers, std::move(chain), from, {}, nullptr};
    memory.assign(get.chain->blocks.size() * block_bytes, std::byte{0});
    for (std::size_t i = from; i < get.chain->blocks.size(); ++i) get.slots.push_back(memory.data() + i * block_bytes);
    return get;
  }
  /// How many arrived; each is compared.
  std::uint32_t get(const std::shared_ptr<const core::tier_chain>& chain, std::uint32_t from = 0) {
    say(host, tier, get_of(chain, from), host.handle);
    CHECK(host.heard->got.back().load == transfers);
    const auto arrived = host.heard->got.back().blocks;
    for (std::uint32_t i = from; i < from + arrived; ++i) CHECK(holds(chain->blocks[i], memory.data() + i * block_bytes));
    return arrived;
  }
};

}  // namespace

TEST_CASE("a disk tier gives back what it was given, after a restart too") {
  disk_world world;
  world.start();
  const auto chain = world.chain_of(0, 5);
  CHECK(world.find(chain) == 0);
  CHECK(world.put(*chain));
  CHECK(world.find(chain) == 5);
  CHECK(world.find(chain, 3) == 2);
  CHECK(world.find(world.chain_of(0, 7), 5) == 0);
  CHECK(world.get(chain) == 5);
  CHECK(world.get(chain, 2) == 3);
  auto status = world.status();
  CHECK(status.kind == "disk");
  CHECK(status.blocks_cached == 5);
  CHECK(status.blocks_stored == 5);
  CHECK(status.blocks_read == 8);
  CHECK(status.blocks_failed == 0);
  CHECK(status.integrity == "");
  world.end(world.tier, caf::exit_reason::kill);
  world.start();
  CHECK(world.find(chain) == 5);
  CHECK(world.get(chain) == 5);
}

TEST_CASE("a role is written with its block, counted, and read again after a restart") {
  disk_world world;
  world.start();
  auto chain = std::make_shared<core::tier_chain>(*world.chain_of(0, 3));
  using role = core::block_role;
  chain->roles = {{role::system, 4}, {role::tools, 8}};
  CHECK(world.put(*chain));
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{1, 1, 1, 0, 0, 0, 0});
  CHECK(world.get(chain) == 3);
  CHECK(world.host.heard->got.back().roles == std::vector{role::system, role::tools, role::unknown});
  world.end(world.tier, caf::exit_reason::kill);
  world.start();
  CHECK(world.status().blocks_by_role == std::vector<std::uint32_t>{1, 1, 1, 0, 0, 0, 0});
  CHECK(world.get(chain, 1) == 2);
  CHECK(world.host.heard->got.back().roles == std::vector{role::tools, role::unknown});
  CHECK(world.status().integrity == "");
}

TEST_CASE("shards hear what is on disk, what comes and what is dropped") {
  disk_world world;
  world.start();
  const auto chain = world.chain_of(0, 2);
  CHECK(world.put(*chain));
  const auto shard = world.a_shard();
  world.tell(world.tier, shard_joined{0}, shard.handle);
  REQUIRE(shard.heard->size() == 1);
  CHECK(shard.heard->at(0).snapshot);
  CHECK(shard.heard->at(0).worker == worker_id{9});
  CHECK(shard.heard->at(0).epoch == 2);
  CHECK(shard.heard->at(0).first == 2);
  CHECK(shard.heard->at(0).events.size() == 2);
  world.say(world.host, world.tier, core::store_drop{{chain->blocks[1].hash}});
  REQUIRE(shard.heard->size() == 2);
  CHECK(shard.heard->at(1).first == 2);
  REQUIRE(shard.heard->at(1).events.size() == 1);
  CHECK(shard.heard->at(1).events[0].what == kind::removed);
  CHECK(shard.heard->at(1).events[0].block == chain->blocks[1]);
  world.say(shard, world.tier, snapshot_request{{9}});
  REQUIRE(shard.heard->size() == 3);
  CHECK(shard.heard->at(2).snapshot);
  CHECK(shard.heard->at(2).first == 3);
  CHECK(shard.heard->at(2).events.size() == 1);
  CHECK(world.find(chain) == 1);
  CHECK(removed_by(world.status().blocks_removed, core::eviction_cause::death) == 1);
}

TEST_CASE("a block that was damaged on disk ends what arrives and is counted, the rest goes on") {
  disk_world world;
  world.start();
  const auto chain = world.chain_of(0, 4), other = world.chain_of(500, 1);
  CHECK(world.put(*chain));
  CHECK(world.put(*other));
  const auto wanted = world.bytes_of(chain->blocks[2]);
  for (const auto& entry : fs::recursive_directory_iterator(world.setup.store.folder)) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto at = text.find(std::string(reinterpret_cast<const char*>(wanted.data()), 4096));
    if (at == std::string::npos) continue;
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(text[at] ^ 1));
  }
  CHECK(world.get(chain) == 2);
  CHECK(world.status().blocks_failed == 1);
  CHECK(world.find(chain) == 2);
  CHECK(world.get(other) == 1);
  CHECK(world.put(*chain));
  CHECK(world.get(chain) == 4);
}

TEST_CASE("a folder that cannot be used holds nothing and takes nothing, until it can") {
  disk_world world;
  fs::create_directories(world.scratch.path);
  std::ofstream(world.scratch.path / "disk") << "a file in its place";
  world.start();
  const auto chain = world.chain_of(0, 3);
  const auto shard = world.a_shard();
  world.tell(world.tier, shard_joined{0}, shard.handle);
  CHECK(world.find(chain) == 0);
  CHECK(world.get(chain) == 0);
  CHECK_FALSE(world.put(*chain));
  CHECK(world.status().integrity != "");
  CHECK(shard.heard->size() == 1);
  fs::remove(world.scratch.path / "disk");
  world.advance(500ms);
  CHECK(world.status().integrity == "");
  CHECK(shard.heard->size() == 2);
  CHECK(world.put(*chain));
  CHECK(world.get(chain) == 3);
}

TEST_CASE("a disk tier that is killed with a get or a put under way leaves a folder that its successor opens, and no answer") {
  for (const bool is_put : {false, true}) {
    CAPTURE(is_put);
    disk_world world;
    world.setup.store.use_uring = true;  // else nothing is ever under way between two messages
    world.start();
    const auto chain = world.chain_of(0, 5), more = world.chain_of(500, 5);
    CHECK(world.put(*chain));
    const auto address = caf::actor_cast<caf::actor>(world.tier);
    const auto from = caf::actor_cast<caf::actor>(world.host.handle);
    if (is_put)
      caf::send_as(from, address, world.put_of(*more), world.host.handle);
    else
      caf::send_as(from, address, world.get_of(chain, 0), world.host.handle);
    CHECK(world.scheduler().try_run_once());
    caf::anon_send_exit(address, caf::exit_reason::kill);
    world.run();
    CHECK(world.host.heard->got.size() <= 1);
    world.start();
    CHECK(world.status().integrity == "");
    CHECK(world.status().blocks_leased == 0);
    CHECK(world.find(chain) == 5);
    CHECK(world.get(chain) == 5);
    CHECK(world.find(more) == (is_put ? world.status().blocks_cached - 5 : 0));
  }
}

TEST_CASE("a host that dies while it is served leaves nothing in flight") {
  disk_world world;
  world.start();
  const auto chain = world.chain_of(0, 5);
  CHECK(world.put(*chain));
  const auto dying = world.a_host();
  const auto address = caf::actor_cast<caf::actor>(world.tier);
  caf::send_as(caf::actor_cast<caf::actor>(dying.handle), address, world.get_of(chain, 0), dying.handle);
  CHECK(world.scheduler().try_run_once());
  world.end(dying.handle, caf::exit_reason::kill);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.get(chain) == 5);
}

TEST_CASE("what owners pin stays on disk while others leave, until they say otherwise or are gone") {
  disk_world world;
  world.setup.store.budget_bytes = 4 * world.setup.store.segment_bytes;
  world.start();
  const auto chain = world.chain_of(0, 6);
  CHECK(world.put(*chain));
  const auto pin = [&](std::uint64_t generation, std::uint32_t ttl_ms) {
    world.tell(world.tier, owner_intent{{1}, generation, {{chain->blocks[3], 4, core::rank_pinned, ttl_ms}, {chain->blocks[5], 6, 80, ttl_ms}}, chain->blocks});
  };
  const auto crowd = [&](token_id from) {
    for (token_id each = from; each < from + 400'000; each += 10'000) CHECK(world.put(*world.chain_of(each, 5)));
  };
  pin(1, 3'600'000);
  CHECK(world.status().blocks_pinned == 4);
  crowd(1'000'000);
  CHECK(world.find(chain) == 4);
  CHECK(world.status().blocks_pinned == 4);
  world.tell(world.tier, owner_release{{1}, true});  // it rests
  CHECK(world.status().blocks_pinned == 4);
  pin(2, 1000);
  world.advance(1500ms, 500ms);
  CHECK(world.status().blocks_pinned == 0);
  pin(3, 3'600'000);
  CHECK(world.status().blocks_pinned == 4);
  world.tell(world.tier, owner_release{{1}});
  CHECK(world.status().blocks_pinned == 0);
  CHECK(world.status().blocks_clipped == 0);
  crowd(2'000'000);
  CHECK(world.find(chain) == 0);
  CHECK(world.status().integrity == "");
}

TEST_CASE("a put that is cancelled is answered with what was written, and nothing of it is written afterwards") {
  disk_world world;
  world.setup.store.write_bytes_per_s = 20'000;
  world.start();
  const auto chain = world.chain_of(0, 8);
  const auto put = world.put_of(*chain);
  world.say(world.host, world.tier, put, world.host.handle);
  world.advance(1s, 500ms);
  CHECK(world.host.heard->puts.empty());  // it waits for the write rate
  const auto written = world.find(chain);
  CHECK(written > 0);
  CHECK(written < 8);
  world.say(world.host, world.tier, core::store_put_cancel{put.transfer + 1});
  CHECK(world.host.heard->puts.empty());
  world.say(world.host, world.tier, core::store_put_cancel{put.transfer});
  REQUIRE(world.host.heard->puts.size() == 1);
  CHECK(world.host.heard->puts[0].transfer == put.transfer);
  CHECK_FALSE(world.host.heard->puts[0].is_complete);
  world.advance(10s, 500ms);
  CHECK(world.find(chain) == written);
  CHECK(world.host.heard->puts.size() == 1);
  CHECK(world.status().blocks_leased == 0);
}
