// Wishes of owners about blocks in a pool: pins that hold, end, are clipped and follow blocks that come back.
#include <doctest/doctest.h>

#include <ranges>

#include "engine/core/block_pool.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

constexpr owner_id alice{1}, bob{2};

/// A pool of blocks of one token; "abc" is a chain of three.
struct fixture {
  explicit fixture(std::uint32_t blocks, std::string retention = "lru") : pool({.block_count = blocks, .block_tokens = 1, .retention = std::move(retention)}) {}

  std::vector<block_identity> chain(std::string_view letters) const {
    std::vector<block_identity> all;
    hasher.extend(all, tokens(letters));
    return all;
  }
  static std::vector<token_id> tokens(std::string_view letters) { return {letters.begin(), letters.end()}; }
  /// False: there is no room.
  bool turn(std::string_view letters, owner_id owner) {
    const auto names = chain(letters);
    const auto all = tokens(letters);
    std::vector<block_index> table;
    const turn_opening opening{++turns, turn_input::unknown, static_cast<std::uint32_t>(letters.size()), tier_level::remote};
    const auto matched = pool.acquire_prefix(names, hasher.root(), all, owner, table, &opening);
    const bool fits = pool.acquire_private(static_cast<std::uint32_t>(letters.size()) - matched, table);
    for (std::size_t i = matched; fits && i < letters.size(); ++i)
      table[i] = pool.publish(table[i], names[i], i == 0 ? hasher.root() : names[i - 1].hash, std::span(all).subspan(i, 1), owner, {});
    for (const block_index block : table | std::views::reverse) pool.release(block);
    return fits;
  }
  intent_result wish(owner_id owner, std::string_view letters, std::uint8_t rank, std::uint32_t ttl_ms = 1000) {
    const std::vector<retention_wish> wishes{{chain(letters).back(), static_cast<std::uint32_t>(letters.size()), rank, ttl_ms}};
    return pool.apply({owner, ++generation, wishes});
  }
  [[nodiscard]] bool has(std::string_view letters) const { return pool.is_cached(chain(letters).back().hash); }
  [[nodiscard]] bool sound() const {
    const auto found = pool.check_integrity();
    if (found) MESSAGE(*found);
    return !found;
  }

  block_pool pool;
  block_hasher hasher{std::uint64_t{7}, 1};
  std::uint64_t turns = 0, generation = 0;
};

}  // namespace

TEST_CASE("pinned blocks stay under every policy, and are not available to others") {
  for (const char* policy : {"lru", "priority", "lifecycle"}) {
    CAPTURE(policy);
    fixture f(6, policy);
    CHECK(f.turn("abc", alice));
    CHECK(f.wish(alice, "abc", rank_pinned) == intent_result{1, 3, 0});
    CHECK(f.pool.available() == 3);
    CHECK(f.turn("xyz", bob));
    CHECK(f.turn("uvw", bob));
    CHECK(f.has("abc"));
    CHECK_FALSE(f.has("xyz"));
    CHECK_FALSE(f.turn("klmn", bob));  // four blocks, three may leave
    CHECK(f.sound());
  }
}

TEST_CASE("a pin ends with its time, with its owner and with a newer wish") {
  fixture f(6);
  f.turn("abc", alice);
  f.wish(alice, "abc", rank_pinned, 500);
  f.pool.set_time(499ms);
  CHECK(f.pool.counts().pinned == 3);
  f.pool.set_time(500ms);
  CHECK(f.pool.counts().pinned == 0);
  CHECK(f.pool.available() == 6);
  f.wish(alice, "abc", rank_pinned);
  CHECK(f.pool.apply({alice, ++f.generation, {}}) == intent_result{3, 0, 0});
  CHECK(f.pool.counts().pinned == 0);
  f.wish(alice, "ab", rank_pinned);
  CHECK(f.pool.counts().pinned == 2);
  CHECK(f.pool.apply({alice, 1, {}}) == intent_result{4, 2, 0});  // an old one, late
  CHECK(f.pool.apply({alice, 5, {}}) == intent_result{5, 0, 0});
  const std::vector<retention_wish> late{{f.chain("ab").back(), 2, rank_pinned, 1000}};
  CHECK(f.pool.apply({alice, 4, late}) == intent_result{5, 0, 0});  // an unpin is remembered as well
  CHECK(f.pool.release_owner(alice) == 3);
  CHECK(f.pool.counts().pinned == 0);
  CHECK(f.sound());
}

TEST_CASE("pins share a part of the pool, and what does not fit is clipped from the end") {
  fixture f(8);
  f.turn("abcdef", alice);
  CHECK(f.wish(alice, "abcdef", rank_pinned) == intent_result{1, 4, 2});
  CHECK(f.pool.available() == 4);
  f.turn("ab", bob);
  CHECK(f.wish(bob, "ab", rank_pinned) == intent_result{2, 4, 0});  // pinned already
  f.turn("wxyz", bob);
  CHECK(f.has("abcd"));
  CHECK_FALSE(f.has("abcde"));
  CHECK(f.sound());
}

TEST_CASE("a wish waits for its blocks and finds them again when they come back") {
  fixture f(4);
  CHECK(f.wish(alice, "ab", rank_pinned) == intent_result{1, 0, 0});
  f.turn("ab", alice);
  CHECK(f.pool.counts().pinned == 2);
  f.pool.release_owner(bob);
  CHECK(f.pool.forget(alice, f.chain("ab"), eviction_cause::rewind) == 2);
  CHECK(f.pool.counts().pinned == 0);
  f.turn("ab", alice);
  CHECK(f.pool.counts().pinned == 2);
  CHECK(f.sound());
}

TEST_CASE("priority decides who leaves first, and what is wished low leaves before the rest") {
  fixture f(6, "priority");
  f.turn("ab", alice);
  f.turn("xy", bob);
  f.wish(alice, "ab", 80);
  f.turn("uvw", owner_id{3});
  CHECK(f.has("ab"));
  CHECK_FALSE(f.has("xy"));
  const std::vector<retention_wish> low{{f.chain("uvw").back(), 1, 5, 1000}};
  f.pool.apply({owner_id{3}, ++f.generation, low});
  f.turn("k", bob);
  f.turn("l", bob);
  CHECK_FALSE(f.has("uvw"));
  CHECK(f.has("uv"));
  CHECK(f.sound());
}

TEST_CASE("what only sessions with a limit own stays above it, what others share goes down") {
  fixture f(8);
  const auto open = [&](std::string_view letters, owner_id owner, tier_level lowest) {
    std::vector<block_index> table;
    const turn_opening opening{++f.turns, turn_input::unknown, 2, lowest};
    f.pool.acquire_prefix(f.chain(letters), f.hasher.root(), f.tokens(letters), owner, table, &opening);
    for (const block_index block : table | std::views::reverse) f.pool.release(block);
  };
  f.turn("ab", alice);
  open("ab", alice, tier_level::host);
  const auto block = f.pool.find(f.chain("ab").back().hash);
  CHECK(f.pool.lowest_tier(block) == tier_level::host);
  open("ab", bob, tier_level::remote);
  CHECK(f.pool.lowest_tier(block) == tier_level::remote);
  f.pool.release_owner(bob);
  CHECK(f.pool.lowest_tier(block) == tier_level::host);
  open("ab", alice, tier_level::remote);
  CHECK(f.pool.lowest_tier(block) == tier_level::remote);
}

TEST_CASE("a prefetch displaces only what is worth less, and takes what is free") {
  fixture f(6, "lifecycle");
  instant at{0};
  for (int i = 0; i < 30; ++i) {  // tool calls come back after two seconds, people do not
    f.pool.set_time(at += 2s);
    f.turn("t", alice);
    f.pool.finish_turn(alice, {.turn = f.turns, .end = turn_end::tool_calls});
    f.turn("p", bob);
    f.pool.finish_turn(bob, {.turn = f.turns, .end = turn_end::stop});
    f.pool.release_owner(bob);
  }
  f.turn("pq", bob);
  f.pool.finish_turn(bob, {.turn = f.turns, .end = turn_end::stop});
  std::vector<block_index> table;
  CHECK(f.pool.acquire_worthwhile(3, {bob, 2}, table) == 3);  // six blocks: "t", "pq" and three free ones
  CHECK(f.pool.acquire_worthwhile(1, {bob, 5}, table) == 0);  // a person's session displaces none that waits for a tool
  CHECK(f.pool.acquire_worthwhile(2, {alice, 1}, table) == 2);
  CHECK(f.has("t"));
  CHECK_FALSE(f.has("p"));
  for (const block_index block : table) f.pool.release(block);
  CHECK(f.sound());
}
