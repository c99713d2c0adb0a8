// One remote tier alone: against a real Redis that stops, freezes and returns, and against one that gives other bytes than it was given.
#include "actors/remote_tier.hpp"

#include <map>

#include "test/store/redis_servers.hpp"
#include "test/support/tier_world.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

struct remote_world : tier_fixture {
  actors::remote_tier_setup setup;
  actors::store_tier_actor tier;
  host_peer host = a_host();
  std::uint64_t transfers = 0;
  std::vector<std::byte> memory;

  explicit remote_world(const std::string& socket, std::int64_t call_wait_ms = 5000) {
    block_bytes = 4096;
    setup.about = {{9}, {"m"}, 2, {11}, store::scope_of(7), block_bytes, 0};
    setup.store.address.unix_path = socket;
    setup.store.call_wait_ms = call_wait_ms;
    tier = spawn(actors::remote_tier, setup);
  }
  tier_status status() { return status_of(tier_actor{tier}); }
  bool put(const core::tier_chain& chain) {
    core::store_put put{++transfers, blocks_of(chain), {}, nullptr};
    memory.resize(chain.blocks.size() * block_bytes);
    for (std::size_t i = 0; i < chain.blocks.size(); ++i) {
      write(chain.blocks[i], memory.data() + i * block_bytes);
      put.slots.push_back(memory.data() + i * block_bytes);
    }
    say(host, tier, put, host.handle);
    CHECK(host.heard->puts.back().transfer == transfers);
    return host.heard->puts.back().is_complete;
  }
  std::uint32_t find(const std::shared_ptr<const core::tier_chain>& chain) {
    say(host, tier, core::store_find{++transfers, chain, 0}, host.handle);
    CHECK(host.heard->found.back().load == transfers);
    return host.heard->found.back().blocks;
  }
  /// How many arrived; each is compared.
  std::uint32_t get(const std::shared_ptr<const core::tier_chain>& chain) {
    core::store_get get{++transfers, chain, 0, {}, nullptr};
    memory.assign(chain->blocks.size() * block_bytes, std::byte{0});
    for (std::size_t i = 0; i < chain->blocks.size(); ++i) get.slots.push_back(memory.data() + i * block_bytes);
    say(host, tier, get, host.handle);
    CHECK(host.heard->got.back().load == transfers);
    const auto arrived = host.heard->got.back().blocks;
    for (std::uint32_t i = 0; i < arrived; ++i) CHECK(holds(chain->blocks[i], memory.data() + i * block_bytes));
    return arrived;
  }
};

/// A Redis that keeps what is set, and from some moment on spoils what it returns.
struct spoiling_redis {
  std::map<std::string, std::string> values;
  std::size_t spoilt_from = SIZE_MAX;  ///< bytes of values
  store::test::lying_redis server{[this](const store::test::lying_redis::words& words) { return answer(words); }};

  std::string answer(const store::test::lying_redis::words& words) {
    if (words[0] == "SET") return values[words[1]] = words[2], "+OK\r\n";
    if (words[0] == "EXISTS") return values.contains(words[1]) ? ":1\r\n" : ":0\r\n";
    if (words[0] == "UNLINK") return values.erase(words[1]) == 1 ? ":1\r\n" : ":0\r\n";
    if (words[0] != "GET") return "+OK\r\n";
    const auto found = values.find(words[1]);
    if (found == values.end()) return "$-1\r\n";
    auto value = found->second;
    if (spoilt_from < value.size()) value[spoilt_from] = static_cast<char>(value[spoilt_from] ^ 1);
    return "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  }
};

}  // namespace

TEST_CASE("a remote tier gives back what it was given, and leaves what it is told to drop to its ttl") {
  if (!store::test::has_redis()) return;
  store::test::real_redis redis;
  remote_world world(redis.socket());
  auto chain = std::make_shared<core::tier_chain>(*world.chain_of(0, 5));
  chain->roles = {{core::block_role::system, 4}, {core::block_role::user, 16}};
  CHECK(world.find(chain) == 0);
  CHECK(world.get(chain) == 0);
  CHECK(world.put(*chain));
  CHECK(world.find(chain) == 5);
  CHECK(world.find(world.chain_of(0, 7)) == 5);
  CHECK(world.get(chain) == 5);
  using role = core::block_role;
  CHECK(world.host.heard->got.back().roles == std::vector{role::system, role::user, role::user, role::user, role::unknown});
  world.say(world.host, world.tier, core::store_drop{{chain->blocks[4].hash}});
  CHECK(world.request<owner_released>(world.tier, owner_release{{1}}).get().blocks_freed == 0);
  CHECK(world.find(chain) == 5);
  const auto status = world.status();
  CHECK(status.kind == "remote");
  CHECK(status.blocks_stored == 5);
  CHECK(status.blocks_read == 5);
  CHECK(status.blocks_failed == 0);
}

TEST_CASE("a Redis that has gone is counted, soon not asked any more, and used again when it is back") {
  if (!store::test::has_redis()) return;
  store::test::real_redis redis;
  remote_world world(redis.socket());
  const auto chain = world.chain_of(0, 3);
  CHECK(world.put(*chain));
  redis.stop();
  CHECK_FALSE(world.put(*chain));
  CHECK(world.status().blocks_failed == 3);
  CHECK(world.find(chain) == 0);
  CHECK(world.status().blocks_failed == 6);
  CHECK(world.get(chain) == 0);
  CHECK(world.status().blocks_failed == 9);
  redis.start();
  CHECK(world.find(chain) == 0);  // the breaker is open
  CHECK(world.status().blocks_failed == 12);
  world.advance(500ms);
  CHECK(world.put(*chain));
  CHECK(world.find(chain) == 3);
  CHECK(world.get(chain) == 3);
  CHECK(world.status().blocks_failed == 12);
}

TEST_CASE("a Redis that freezes costs each question its wait until the breaker opens, and every question is answered") {
  if (!store::test::has_redis()) return;
  store::test::real_redis redis;
  remote_world world(redis.socket(), 20);
  const auto chain = world.chain_of(0, 3);
  CHECK(world.put(*chain));
  redis.freeze();
  CHECK(world.find(chain) == 0);
  CHECK(world.get(chain) == 0);
  CHECK_FALSE(world.put(*chain));
  CHECK(world.get(chain) == 0);
  CHECK(world.status().blocks_failed == 12);
  redis.thaw();
  world.advance(500ms);
  world.setup.store.call_wait_ms = 5000;
  world.tier = world.spawn(actors::remote_tier, world.setup);
  CHECK(world.find(chain) == 3);
  CHECK(world.get(chain) == 3);
}

TEST_CASE("bytes that are not those that were given are a miss, counted and removed") {
  spoiling_redis redis;
  remote_world world(redis.server.socket());
  const auto chain = world.chain_of(0, 3);
  CHECK(world.put(*chain));
  CHECK(world.get(chain) == 3);
  redis.spoilt_from = redis.values.begin()->second.size() - 1;  // the last byte of each payload
  CHECK(world.find(chain) == 3);
  CHECK(world.get(chain) == 0);
  CHECK(world.status().blocks_failed == 3);
  CHECK(redis.values.empty());
  redis.spoilt_from = SIZE_MAX;
  CHECK(world.find(chain) == 0);
  CHECK(world.put(*chain));
  CHECK(world.get(chain) == 3);
}

TEST_CASE("what owners pin is kept by Redis at least as long, whether it was there before or comes later") {
  if (!store::test::has_redis()) return;
  store::test::real_redis redis;
  remote_world world(redis.socket());
  world.end(world.tier, caf::exit_reason::kill);
  world.setup.store.ttl_ms = 60'000;
  world.tier = world.spawn(actors::remote_tier, world.setup);
  const auto chain = world.chain_of(0, 4);
  CHECK(world.put(*world.chain_of(0, 2)));
  world.tell(world.tier, owner_intent{{1}, 1, {{chain->blocks[2], 3, core::rank_pinned, 3'000'000}}, chain->blocks});
  CHECK(world.put(*chain));
  store::remote_store keys(world.setup.store);
  const auto ttl_of = [&](std::size_t at) {
    return std::atoll(redis.run("PTTL " + keys.key_of({chain->blocks[at].hash, {11}, store::scope_of(7)})).c_str());
  };
  for (const std::size_t at : {0, 1, 2}) {
    CHECK(ttl_of(at) > 2'900'000);
    CHECK(ttl_of(at) <= 3'000'000);
  }
  CHECK(ttl_of(3) <= 60'000);
  world.tell(world.tier, owner_release{{1}});
  CHECK(world.put(*chain));
  CHECK(ttl_of(0) <= 60'000);
}
