// Shares of a pool by tenant: idle room is anybody's, and who has more than its share gives way first when others need it.
#include "engine/core/tenant_shares.hpp"

#include <doctest/doctest.h>

#include <random>
#include <ranges>

#include "engine/core/block_pool.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

using counts_type = std::vector<std::uint32_t>;

/// A pool of blocks of one token; "abc" is a chain of three, another for each tenant.
struct fixture {
  fixture(std::uint32_t blocks, const std::vector<double>& shares, const std::string& retention = "lru")
      : pool({.block_count = blocks, .block_tokens = 1, .retention = retention, .tenants = named(shares)}) {}

  static std::vector<tenant_share> named(const std::vector<double>& shares) {
    std::vector<tenant_share> all;
    for (const double share : shares) all.push_back({"tenant " + std::to_string(all.size()), share});
    return all;
  }
  static std::vector<token_id> tokens(std::string_view letters) { return {letters.begin(), letters.end()}; }
  static block_hasher hasher_of(tenant_index tenant) { return block_hasher{std::uint64_t{7} + tenant, 1}; }
  static std::vector<block_identity> chain(tenant_index tenant, std::string_view letters) {
    std::vector<block_identity> all;
    hasher_of(tenant).extend(all, tokens(letters));
    return all;
  }
  /// The table keeps its leases; where there was no room, of what was here.
  std::vector<block_index> run(tenant_index tenant, std::string_view letters, owner_id owner) {
    const auto names = chain(tenant, letters);
    const auto all = tokens(letters);
    const auto root = hasher_of(tenant).root();
    std::vector<block_index> table;
    const turn_opening opening{++turns, turn_input::unknown, static_cast<std::uint32_t>(letters.size()), tier_level::remote, tenant};
    const auto matched = pool.acquire_prefix(names, root, all, owner, table, &opening);
    if (!pool.acquire_private(static_cast<std::uint32_t>(letters.size()) - matched, table, tenant)) return table;
    for (std::size_t i = matched; i < letters.size(); ++i)
      table[i] = pool.publish(table[i], names[i], i == 0 ? root : names[i - 1].hash, std::span(all).subspan(i, 1), owner, {});
    return table;
  }
  void release(const std::vector<block_index>& table) {
    for (const block_index block : table | std::views::reverse) pool.release(block);
  }
  void turn(tenant_index tenant, std::string_view letters) { release(run(tenant, letters, owner_id{100U + tenant})); }
  intent_result pin(tenant_index tenant, std::string_view letters) {
    const std::vector<retention_wish> wishes{{chain(tenant, letters).back(), static_cast<std::uint32_t>(letters.size()), rank_pinned, 1000}};
    return pool.apply({owner_id{100U + tenant}, ++generation, wishes});
  }
  [[nodiscard]] std::uint32_t held(tenant_index tenant, std::string_view letters) const {
    return pool.peek_prefix(chain(tenant, letters), hasher_of(tenant).root(), tokens(letters)).matched;
  }
  [[nodiscard]] const counts_type& blocks() const { return pool.tenants().blocks(); }
  [[nodiscard]] std::uint64_t removed_by(eviction_cause cause) const { return pool.counts().removed_by(cause); }
  [[nodiscard]] bool sound() const {
    const auto found = pool.check_integrity();
    if (found) MESSAGE(*found);
    return !found;
  }

  block_pool pool;
  std::uint64_t turns = 0, generation = 0;
};

constexpr const char* policies[] = {"lru", "priority", "lifecycle"};

}  // namespace

TEST_CASE("a tenant may use idle room beyond its share, and gives way when others need it") {
  for (const char* policy : policies) {
    CAPTURE(policy);
    fixture f(8, {1, 0.25}, policy);
    f.turn(0, "t");
    f.turn(1, "abcdef");
    CHECK(f.blocks() == counts_type{1, 6});
    CHECK(f.removed_by(eviction_cause::quota) == 0);
    f.turn(0, "uvw");
    CHECK(f.held(0, "t") == 1);  // used longest ago, and within its tenant's share
    CHECK(f.held(1, "abcdef") == 4);
    CHECK(f.blocks() == counts_type{4, 4});
    CHECK(f.removed_by(eviction_cause::quota) == 2);
    CHECK(f.removed_by(eviction_cause::capacity) == 0);
    CHECK(f.sound());
  }
}

TEST_CASE("a tenant at its share takes the room that it needs from its own blocks") {
  for (const char* policy : policies) {
    CAPTURE(policy);
    fixture f(8, {1, 0.5}, policy);
    f.turn(0, "tuvw");
    f.turn(1, "abcd");
    f.turn(1, "xy");
    CHECK(f.held(0, "tuvw") == 4);
    CHECK(f.held(1, "abcd") == 2);
    CHECK(f.held(1, "xy") == 2);
    CHECK(f.removed_by(eviction_cause::quota) == 2);
    f.turn(0, "z");  // nobody is above its share: the usual one leaves
    CHECK(f.removed_by(eviction_cause::quota) == 2);
    CHECK(f.removed_by(eviction_cause::capacity) + f.removed_by(eviction_cause::superseded) == 1);
    CHECK(f.sound());
  }
}

TEST_CASE("of several tenants above their shares the one with the most above gives way") {
  for (const char* policy : policies) {
    CAPTURE(policy);
    fixture f(12, {1, 0.25, 0.25}, policy);
    f.turn(2, "abcd");
    f.turn(1, "abcdef");
    f.turn(0, "uv");
    f.turn(0, "xy");
    CHECK(f.blocks() == counts_type{4, 4, 4});
    CHECK(f.held(2, "abcd") == 4);
    CHECK(f.held(1, "abcdef") == 4);
    CHECK(f.removed_by(eviction_cause::quota) == 2);
    CHECK(f.sound());
  }
}

TEST_CASE("what runs is never taken, however far its tenant is above its share") {
  for (const char* policy : policies) {
    CAPTURE(policy);
    fixture f(8, {1, 0.25}, policy);
    f.turn(0, "t");
    const auto running = f.run(1, "abcdef", {1});
    f.turn(0, "uv");
    CHECK(f.held(1, "abcdef") == 6);
    CHECK(f.held(0, "t") == 0);
    CHECK(f.removed_by(eviction_cause::quota) == 0);
    CHECK(f.blocks() == counts_type{2, 6});
    f.release(running);
    f.turn(0, "xy");
    CHECK(f.held(1, "abcdef") == 4);
    CHECK(f.removed_by(eviction_cause::quota) == 2);
    CHECK(f.sound());
  }
}

TEST_CASE("a tenant above its share that does not need the room displaces nobody else") {
  fixture f(8, {1, 0.5}, "lifecycle");
  f.turn(0, "tuvw");
  const auto running = f.run(1, "abcd", {1});
  std::vector<block_index> table;
  CHECK(f.pool.acquire_worthwhile(2, {.owner = {1}, .depth = 4, .tenant = 1}, table) == 0);
  CHECK(f.held(0, "tuvw") == 4);
  CHECK(f.pool.acquire_private(1, table, 1));  // a need is met as ever
  CHECK(f.held(0, "tuvw") == 3);
  CHECK(f.blocks() == counts_type{3, 5});
  f.release(table);
  f.release(running);
  CHECK(f.blocks() == counts_type{3, 4});
  CHECK(f.sound());
}

TEST_CASE("a tenant's pins are clipped to its share of what pins may keep") {
  fixture f(16, {1, 0.25});
  f.turn(0, "wxyz");
  f.turn(1, "abcd");
  const auto clipped = f.pin(1, "abcd");  // a quarter of the eight
  CHECK(clipped.blocks_pinned == 2);
  CHECK(clipped.blocks_clipped == 2);
  const auto whole = f.pin(0, "wxyz");
  CHECK(whole.blocks_pinned == 6);
  CHECK(whole.blocks_clipped == 0);
  f.turn(1, "efghijkl");
  f.turn(0, "mnopqrst");
  CHECK(f.held(1, "abcd") == 2);  // pinned: they stay, above the share or not
  CHECK(f.held(0, "wxyz") == 4);
  CHECK(f.sound());
  f.pool.release_owner({101});
  CHECK(f.pin(0, "wxyz").blocks_pinned == 4);
  CHECK(f.sound());
}

TEST_CASE("without a bound blocks are counted by tenant and leave as ever") {
  fixture f(8, {1, 1});
  f.turn(0, "tu");
  f.turn(1, "abcdef");
  f.turn(0, "xy");
  CHECK(f.held(0, "tu") == 0);
  CHECK(f.held(1, "abcdef") == 6);
  CHECK(f.blocks() == counts_type{2, 6});
  CHECK(f.removed_by(eviction_cause::capacity) == 2);
  f.turn(7, "q");  // one that is not known counts as the first
  CHECK(f.blocks() == counts_type{3, 5});
  CHECK(f.sound());
  CHECK(fixture(4, {}).blocks().empty());
}

TEST_CASE("random turns, releases, deaths and forgets of three tenants keep every count exact") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    fixture f(4 + random() % 30, {1, 0.25, 0.5}, policies[seed % 3]);
    std::vector<std::vector<block_index>> held;
    const auto letters_of = [&random] {
      std::string letters;
      for (std::size_t i = 0, n = 1 + random() % 6; i < n; ++i) letters.push_back(static_cast<char>('a' + random() % 2));
      return letters;
    };
    for (int step = 0; step < 300; ++step) {
      CAPTURE(step);
      f.pool.set_time(std::chrono::seconds(step));
      const auto tenant = static_cast<tenant_index>(random() % 3);
      const owner_id owner{100U + tenant};
      switch (const auto letters = letters_of(); random() % 8) {
        case 0: f.pool.release_owner(owner); break;
        case 1: f.pool.forget(owner, fixture::chain(tenant, letters), eviction_cause::rewind); break;
        case 2: f.pin(tenant, letters); break;
        case 3: f.pool.demote_owner(owner); break;
        case 4:
        case 5:
          if (held.empty()) break;
          f.release(held.front());
          held.erase(held.begin());
          break;
        default: held.push_back(f.run(tenant, letters, owner));
      }
      REQUIRE(f.sound());
    }
    for (const auto& table : held) f.release(table);
    for (std::uint64_t owner = 100; owner < 103; ++owner) f.pool.release_owner(owner_id{owner});
    REQUIRE(f.sound());
    CHECK(f.blocks() == counts_type{0, 0, 0});
  }
}
