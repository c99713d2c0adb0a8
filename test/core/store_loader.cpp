#include "engine/core/store_loader.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t width = 4;
constexpr std::uint64_t near = 1, far = 2;

struct loader_world {
  std::unique_ptr<host_pool> pool;
  std::unique_ptr<store_loader> loader;
  instant now{1h};
  std::uint64_t questions = 0;
  store_loader_messages told;

  explicit loader_world(std::uint32_t blocks = 64, std::vector<store_loader::store_id> stores = {near, far}) {
    auto made = host_pool::make({blocks, width, 64, true});
    REQUIRE(made);
    pool = *std::move(made);
    loader = std::make_unique<store_loader>(*pool);
    loader->change_stores(std::move(stores));
  }
  /// `shared` blocks that all sequences begin with, `own` ones that follow from the owner.
  [[nodiscard]] lease_request about(std::uint64_t owner, std::uint32_t shared, std::uint32_t own = 0, double computed_block_s = 0) {
    auto chain = std::make_shared<tier_chain>();
    const block_hasher hasher{std::uint64_t{5}, width};
    chain->root = hasher.root();
    chain->tokens.resize((shared + own) * width);
    std::iota(chain->tokens.begin(), chain->tokens.begin() + shared * width, 0);
    std::iota(chain->tokens.begin() + shared * width, chain->tokens.end(), static_cast<token_id>(1000 * owner));
    hasher.extend(chain->blocks, chain->tokens);
    return {++questions, {100 + owner}, {owner}, std::move(chain), 0, computed_block_s};
  }
  void ask(const lease_request& request, host_pool::client_id client = 0) {
    settle([&] { loader->ask(client, request, now); });
  }
  void found(std::uint64_t store, std::uint64_t load, std::uint32_t blocks) {
    settle([&] { loader->found(store, {load, blocks}, now); });
  }
  void got(std::uint64_t store, std::uint64_t load, std::uint32_t blocks) {
    settle([&] { loader->got(store, {load, blocks}, now); });
  }
  template <class Act>
  void settle(Act act) {
    act();
    told = loader->take_messages();
    CHECK(pool->check_integrity().value_or("") == "");
  }
  [[nodiscard]] std::uint64_t found_number() const { return told.finds.at(0).second.load; }
  [[nodiscard]] std::uint64_t get_number() const { return told.gets.at(0).second.load; }
  /// The one question that is open is loaded whole, in `takes` of the store's time.
  void load_whole(std::uint64_t store, std::uint32_t blocks, instant takes) {
    found(store, found_number(), blocks);
    REQUIRE(told.gets.size() == 1);
    now += takes;
    got(store, get_number(), blocks);
  }
  void end(const lease_grant& grant, host_pool::client_id client = 0) { pool->end(client, {grant.number}); }
  [[nodiscard]] bool is_at_rest() const { return loader->size() == 0 && pool->counts().blocks.leased == 0; }
};

}  // namespace

TEST_CASE("without stores a question is answered at once, with what is here") {
  loader_world world(64, {});
  world.ask(world.about(1, 3));
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.number == 1);
  CHECK(world.told.grants[0].second.slots.empty());
  CHECK(world.told.finds.empty());
  CHECK(world.is_at_rest());
}

TEST_CASE("the nearest store is asked first, the next one for what it lacks, and after each arrival the nearest again") {
  loader_world world;
  world.ask(world.about(1, 5));
  REQUIRE(world.told.finds.size() == 1);
  CHECK(world.told.finds[0].first == near);
  CHECK(world.told.finds[0].second.from == 0);
  world.found(near, world.found_number(), 2);
  REQUIRE(world.told.gets.size() == 1);
  CHECK(world.told.gets[0].second.slots.size() == 2);
  world.got(near, world.get_number(), 2);
  CHECK(world.told.finds.at(0).first == near);
  CHECK(world.told.finds[0].second.from == 2);
  world.found(near, world.found_number(), 0);
  CHECK(world.told.finds.at(0).first == far);
  world.found(far, world.found_number(), 3);
  CHECK(world.told.gets.at(0).first == far);
  CHECK(world.told.gets[0].second.from == 2);
  world.got(far, world.get_number(), 1);
  CHECK(world.told.finds.at(0).first == near);
  CHECK(world.told.finds[0].second.from == 3);
  world.found(near, world.found_number(), 0);
  world.found(far, world.found_number(), 0);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.size() == 3);
  CHECK(world.pool->counts().loaded == 3);
  CHECK(world.loader->counts().blocks_failed == 2);  // the second and third that the far one had promised
  world.end(world.told.grants[0].second);
  CHECK(world.is_at_rest());
}

TEST_CASE("siblings wait for the load that brings their blocks: a store reads a shared prefix once") {
  loader_world world;
  world.ask(world.about(1, 6, 2), 1);
  const auto first_find = world.found_number();
  for (std::uint64_t owner = 2; owner <= 5; ++owner) {
    world.ask(world.about(owner, 6, owner == 5 ? 1 : 0), owner);
    CHECK(world.told.finds.empty());
    CHECK(world.told.grants.empty());
  }
  CHECK(world.loader->size() == 5);
  world.found(near, first_find, 6);
  world.got(near, world.get_number(), 6);
  // Who has all of it is answered with it; the first and the fifth look for what is their own.
  CHECK(world.told.grants.empty());
  world.found(near, world.found_number(), 0);
  world.found(far, world.found_number(), 0);
  REQUIRE(world.told.grants.size() == 4);
  CHECK(world.told.finds.size() == 1);
  for (const auto& [client, grant] : world.told.grants) {
    CHECK(grant.slots.size() == 6);
    world.end(grant, client);
  }
  world.load_whole(near, 1, 1ms);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 5);
  CHECK(world.told.grants[0].second.slots.size() == 7);
  world.end(world.told.grants[0].second, 5);
  CHECK(world.pool->counts().loaded == 7);
  CHECK(world.is_at_rest());
}

TEST_CASE("a load that brings nothing lets those go who wait for it, without another question to a store") {
  loader_world world(64, {near});
  world.ask(world.about(1, 6), 1);
  const auto find = world.found_number();
  for (std::uint64_t owner = 2; owner <= 4; ++owner) world.ask(world.about(owner, 6), owner);
  world.found(near, find, 6);
  world.got(near, world.get_number(), 0);
  CHECK(world.told.finds.empty());
  REQUIRE(world.told.grants.size() == 4);
  for (const auto& [client, grant] : world.told.grants) CHECK(grant.slots.empty());
  CHECK(world.loader->counts().blocks_failed == 6);
  CHECK(world.is_at_rest());
}

TEST_CASE("when the owner of a load dies, what arrives is not kept and those who wait begin anew") {
  loader_world world(64, {near});
  world.ask(world.about(1, 6), 1);
  world.found(near, world.found_number(), 6);
  const auto get = world.get_number();
  world.ask(world.about(2, 6), 2);
  world.settle([&] { world.loader->release_owner({1}); });
  world.pool->release_owner({1});
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 1);
  CHECK(world.told.grants[0].second.slots.empty());
  CHECK(world.pool->counts().blocks.leased == 6);
  world.got(near, get, 6);
  CHECK(world.pool->counts().loaded == 0);
  world.load_whole(near, 6, 1ms);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 2);
  CHECK(world.told.grants[0].second.slots.size() == 6);
  world.end(world.told.grants[0].second, 2);
  CHECK(world.is_at_rest());
}

TEST_CASE("a client that is gone is not answered, its load brings the blocks to whoever waits") {
  loader_world world(64, {near});
  world.ask(world.about(1, 6), 1);
  world.found(near, world.found_number(), 6);
  const auto get = world.get_number();
  world.ask(world.about(2, 6), 2);
  world.ask(world.about(3, 6), 3);
  world.settle([&] {
    world.loader->forget(1);
    world.loader->forget(3);
  });
  CHECK(world.told.grants.empty());
  world.got(near, get, 6);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 2);
  CHECK(world.told.grants[0].second.slots.size() == 6);
  world.end(world.told.grants[0].second, 2);
  CHECK(world.is_at_rest());
}

TEST_CASE("a store that hangs is known to, also when nobody waits for it any more") {
  loader_world world(64, {near});
  world.ask(world.about(1, 6), 1);
  world.found(near, world.found_number(), 6);
  world.settle([&] { world.loader->forget(1); });
  world.now += limits::tier_wait;
  CHECK(world.loader->next_deadline() == world.now);
  world.settle([&] { world.loader->expire(world.now); });
  CHECK(world.told.grants.empty());
  CHECK(world.loader->next_deadline() == std::nullopt);
  world.ask(world.about(2, 6), 2);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.empty());
  CHECK(world.pool->counts().blocks.leased == 6);
}

TEST_CASE("at its deadline a question is answered, its slots stay reserved, and a store that hangs keeps nobody else waiting") {
  loader_world world(64, {near});
  world.ask(world.about(1, 6), 1);
  world.found(near, world.found_number(), 6);
  const auto get = world.get_number();
  world.now += 1s;
  world.ask(world.about(2, 6), 2);
  CHECK(world.loader->next_deadline() == world.now - 1s + instant{limits::tier_wait});
  world.now += limits::tier_wait - 1s;
  world.settle([&] { world.loader->expire(world.now); });
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 1);
  CHECK(world.told.grants[0].second.slots.empty());
  CHECK(world.pool->counts().blocks.leased == 6);
  CHECK(world.loader->counts().blocks_failed == 6);
  CHECK(world.loader->next_deadline() == world.now + 1s);
  world.ask(world.about(3, 6), 3);
  REQUIRE(world.told.grants.size() == 1);  // at once
  CHECK(world.told.grants[0].first == 3);
  world.got(near, get, 6);  // it lives
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 2);
  CHECK(world.told.grants[0].second.slots.size() == 6);
  CHECK(world.loader->counts().blocks_failed == 6);
  world.end(world.told.grants[0].second, 2);
  CHECK(world.is_at_rest());
}

TEST_CASE("what a store says twice, out of turn, of another's load or in absurd numbers changes nothing") {
  loader_world world;
  world.ask(world.about(1, 4), 1);
  const auto find = world.found_number();
  world.found(far, find, 4);
  world.got(near, find, 4);
  world.found(near, 999, 4);
  CHECK(world.told.gets.empty());
  world.found(near, find, 4'000'000'000);
  REQUIRE(world.told.gets.size() == 1);
  CHECK(world.told.gets[0].second.slots.size() == 4);
  const auto get = world.get_number();
  world.found(near, find, 4);
  CHECK(world.told.gets.empty());
  world.got(far, get, 4);
  CHECK(world.told.grants.empty());
  world.got(near, get, 4'000'000'000);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.size() == 4);
  world.end(world.told.grants[0].second, 1);
  world.got(near, get, 4);
  CHECK(world.told.grants.empty());
  CHECK(world.pool->counts().loaded == 4);
  CHECK(world.is_at_rest());
}

TEST_CASE("what a store said of an earlier part, said again, does not end the part that it is writing") {
  loader_world world(64, {near});
  world.ask(world.about(1, 5), 1);
  const auto find = world.found_number();
  world.found(near, find, 2);
  const auto get = world.get_number();
  world.got(near, get, 2);
  const auto next_find = world.found_number();
  world.found(near, find, 2);
  CHECK(world.told.gets.empty());
  world.found(near, next_find, 3);
  REQUIRE(world.told.gets.size() == 1);
  const auto next_get = world.get_number();
  world.got(near, get, 2);
  CHECK(world.told.finds.empty());
  CHECK(world.pool->counts().loaded == 2);
  world.got(near, next_get, 3);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.size() == 5);
  world.end(world.told.grants[0].second, 1);
  CHECK(world.is_at_rest());
}

TEST_CASE("a store that ends has brought nothing: its loads end, and the other stores' go on") {
  loader_world world;
  world.ask(world.about(1, 4), 1);
  world.found(near, world.found_number(), 4);
  world.ask(world.about(2, 4), 2);
  world.ask(world.about(3, 0, 4), 3);
  world.found(near, world.found_number(), 0);
  const auto other = world.found_number();
  world.settle([&] { world.loader->change_stores({far}); });
  REQUIRE(world.told.grants.size() == 2);
  CHECK(world.loader->counts().blocks_failed == 4);
  CHECK(world.pool->counts().blocks.leased == 0);
  world.found(far, other, 4);
  world.got(far, world.get_number(), 4);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.size() == 4);
  world.end(world.told.grants[0].second, 3);
  CHECK(world.is_at_rest());
}

TEST_CASE("more questions than may wait are answered with what is here") {
  loader_world world(64, {near});
  for (std::uint64_t owner = 1; owner <= limits::store_loads_max; ++owner) world.ask(world.about(owner, 4), owner);
  CHECK(world.loader->size() == limits::store_loads_max);
  world.ask(world.about(999, 4), 999);
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].first == 999);
  CHECK(world.loader->size() == limits::store_loads_max);
}

TEST_CASE("what would be computed faster is not loaded, once it is known how fast a store is") {
  loader_world world(64, {near});
  world.ask(world.about(1, 0, 4, 0.001), 1);
  world.load_whole(near, 4, 400ms);  // 0.1 s per block; the first load always happens
  REQUIRE(world.told.grants.size() == 1);
  CHECK(world.told.grants[0].second.slots.size() == 4);
  SUBCASE("slower than computing: not loaded, and counted") {
    world.ask(world.about(2, 0, 3, 0.099), 2);
    world.found(near, world.found_number(), 3);
    CHECK(world.told.gets.empty());
    REQUIRE(world.told.grants.size() == 1);
    CHECK(world.told.grants[0].second.slots.empty());
    CHECK(world.loader->counts().blocks_recomputed == 3);
    CHECK(world.loader->counts().blocks_failed == 0);
  }
  SUBCASE("faster than computing: loaded") {
    world.ask(world.about(2, 0, 3, 0.101), 2);
    world.found(near, world.found_number(), 3);
    CHECK(world.told.gets.size() == 1);
    CHECK(world.loader->counts().blocks_recomputed == 0);
  }
  SUBCASE("nobody knows what computing takes, or nobody waits: loaded") {
    world.ask(world.about(2, 0, 3), 2);
    world.found(near, world.found_number(), 3);
    CHECK(world.told.gets.size() == 1);
  }
  SUBCASE("slower than computing: nor is a load waited for that another question needs all the same") {
    world.ask(world.about(2, 3), 2);
    world.found(near, world.found_number(), 3);
    const auto get = world.get_number();
    world.ask(world.about(3, 3, 0, 0.2), 3);
    CHECK(world.told.finds.empty());  // it waits
    world.ask(world.about(4, 3, 0, 0.001), 4);
    world.found(near, world.found_number(), 3);
    REQUIRE(world.told.grants.size() == 1);
    CHECK(world.told.grants[0].first == 4);
    CHECK(world.told.grants[0].second.slots.empty());
    world.got(near, get, 3);
    CHECK(world.told.grants.size() == 2);
  }
  SUBCASE("a measurement grows old: the store is tried again, and measured anew") {
    world.now += limits::store_rate_age_max + 1ms;
    world.ask(world.about(2, 0, 4, 0.001), 2);
    world.load_whole(near, 4, 1ms);
    CHECK(world.pool->counts().loaded == 8);
    world.ask(world.about(3, 0, 4, 0.001), 3);
    world.found(near, world.found_number(), 4);
    CHECK(world.told.gets.size() == 1);
  }
  SUBCASE("another store that has it may be fast enough") {
    world.settle([&] { world.loader->change_stores({near, far}); });
    world.ask(world.about(2, 0, 3, 0.001), 2);
    world.found(near, world.found_number(), 3);
    CHECK(world.told.finds.at(0).first == far);
    world.load_whole(far, 3, 1ms);
    CHECK(world.told.grants.at(0).second.slots.size() == 3);
    CHECK(world.loader->counts().blocks_recomputed == 0);
  }
}
