// What a pool knows of its blocks' roles, and what passes from a dead owner to its heir.
#include <doctest/doctest.h>

#include <algorithm>
#include <ranges>

#include "engine/core/block_pool.hpp"

using namespace troupe;
using namespace troupe::core;
using role = block_role;

namespace {

constexpr owner_id child{1}, sibling{2}, parent{9};

/// Blocks of four tokens, named by a chain of numbers: two chains that begin alike share blocks.
struct fixture {
  explicit fixture(std::uint32_t blocks, std::string retention = "lru")
      : pool({.block_count = blocks, .block_tokens = 4, .retention = std::move(retention)}) {}

  static std::vector<token_id> tokens(const std::vector<int>& numbers) {
    std::vector<token_id> all;
    for (const int number : numbers) all.insert(all.end(), 4, number);
    return all;
  }
  [[nodiscard]] std::vector<block_identity> chain(const std::vector<int>& numbers) const {
    std::vector<block_identity> all;
    hasher.extend(all, tokens(numbers));
    return all;
  }
  /// A sequence of `owner`, from its start to its end.
  void run(const std::vector<int>& numbers, owner_id owner, const std::vector<role_range>& ranges = {}) {
    const auto names = chain(numbers);
    const auto all = tokens(numbers);
    std::vector<block_index> table;
    const auto matched = pool.acquire_prefix(names, hasher.root(), all, owner, table);
    pool.note_roles(table, ranges);
    REQUIRE(pool.acquire_private(static_cast<std::uint32_t>(names.size()) - matched, table));
    for (std::uint32_t i = matched; i < names.size(); ++i) {
      const auto before = i == 0 ? hasher.root() : names[i - 1].hash;
      table[i] = pool.publish(table[i], names[i], before, std::span(all).subspan(i * 4, 4), owner, {.role = role_of(ranges, i * 4, i * 4 + 4)});
    }
    for (const block_index block : table | std::views::reverse) pool.release(block);
    CHECK(pool.check_integrity() == std::nullopt);
  }
  [[nodiscard]] role role_at(const std::vector<int>& numbers) const { return pool.describe(pool.find(chain(numbers).back().hash)).role; }
  [[nodiscard]] std::uint32_t count(role of) const { return pool.counts().by_role[static_cast<std::size_t>(of)]; }
  [[nodiscard]] bool has(const std::vector<int>& numbers) const { return pool.is_cached(chain(numbers).back().hash); }

  block_hasher hasher{std::uint64_t{7}, 4};
  block_pool pool;
};

const std::vector<role_range> head_then_user{{role::system, 4}, {role::tools, 12}, {role::user, 100}};

}  // namespace

TEST_CASE("blocks are counted by role while they are cached") {
  fixture f(8);
  f.run({1, 2, 3, 4}, child, head_then_user);
  CHECK(f.count(role::system) == 1);
  CHECK(f.count(role::tools) == 2);
  CHECK(f.count(role::user) == 1);
  CHECK(f.count(role::unknown) == 0);
  CHECK(f.pool.release_owner(child) == 4);
  CHECK(f.pool.counts().by_role == std::array<std::uint32_t, block_roles>{});
}

TEST_CASE("a role is noted where none is known, and corrected by who knows better") {
  fixture f(8);
  f.run({1, 2}, child);
  CHECK(f.role_at({1, 2}) == role::unknown);
  f.run({1, 2, 3}, sibling, head_then_user);
  CHECK(f.role_at({1}) == role::system);
  CHECK(f.role_at({1, 2}) == role::tools);
  f.run({1, 2, 3}, child, {{role::output, 100}});
  CHECK(f.role_at({1, 2}) == role::tools);
  const std::vector<told_role> told{{f.chain({1, 2, 3}).back(), role::reasoning}, {f.chain({8}).back(), role::user}};
  f.pool.correct_roles(told);
  CHECK(f.role_at({1, 2, 3}) == role::reasoning);
  CHECK(f.count(role::tools) == 1);
  CHECK(f.pool.check_integrity() == std::nullopt);
}

TEST_CASE("what a dead owner bequeaths stays under its heir, the rest goes at once, and the heir's end frees it") {
  fixture f(8);
  f.run({1, 2, 3, 4, 5}, child, head_then_user);
  const auto head = f.chain({1, 2, 3});
  f.pool.bequeath(child, parent, head);
  CHECK(f.pool.release_owner(child) == 2);
  CHECK(f.has({1, 2, 3}));
  CHECK_FALSE(f.has({1, 2, 3, 4}));
  CHECK(f.pool.counts().inherited == 3);
  f.run({1, 2, 3, 6}, sibling, head_then_user);
  f.pool.bequeath(sibling, parent, head);
  CHECK(f.pool.release_owner(sibling) == 1);
  CHECK(f.pool.counts().inherited == 3);  // these were the parent's already
  CHECK(f.pool.release_owner(parent) == 3);
  CHECK(f.pool.counts().free == 8);
  CHECK(f.pool.check_integrity() == std::nullopt);
}

TEST_CASE("only what the dead owned and what is still there is bequeathed") {
  fixture f(3);
  f.run({1, 2, 3}, child, head_then_user);
  f.pool.bequeath(sibling, parent, f.chain({1, 2}));  // not its own
  CHECK(f.pool.owners(f.pool.find(f.chain({1}).back().hash)) == std::vector{child});
  f.run({7}, sibling);  // displaces the last block
  CHECK_FALSE(f.has({1, 2, 3}));
  f.pool.bequeath(child, parent, f.chain({1, 2, 3}));
  CHECK(f.pool.release_owner(child) == 0);
  CHECK(f.has({1, 2}));
  CHECK(f.pool.check_integrity() == std::nullopt);
}

TEST_CASE("by priority, system and tools outlast what was used later, reasoning does not, and a wish is stronger than a role") {
  fixture f(3, "priority");
  f.run({1}, child, {{role::tools, 4}});
  f.run({2}, child, {{role::user, 4}});
  f.run({3}, child, {{role::reasoning, 4}});
  f.run({4}, child, {{role::user, 4}});
  CHECK_FALSE(f.has({3}));
  f.run({5}, child, {{role::user, 4}});
  CHECK_FALSE(f.has({2}));
  CHECK(f.has({1}));
  const std::vector<retention_wish> wishes{{f.chain({4}).back(), 1, 60, 1000}};
  f.pool.apply({sibling, 1, wishes});
  f.run({6}, child, {{role::user, 4}});
  f.run({7}, child, {{role::tools, 4}});
  CHECK(f.has({4}));
  CHECK(f.has({1}));
  f.run({8}, child, {{role::tools, 4}});
  CHECK_FALSE(f.has({1}));  // of equals the one used longest ago
  CHECK(f.has({4}));
}

TEST_CASE("by lru a role changes nothing") {
  fixture f(2);
  f.run({1}, child, {{role::tools, 4}});
  f.run({2}, child, {{role::reasoning, 4}});
  f.run({3}, child, {{role::user, 4}});
  CHECK_FALSE(f.has({1}));
  CHECK(f.has({2}));
}
