#include "engine/core/block_pool.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <random>
#include <ranges>
#include <stdexcept>

using namespace troupe;
using namespace troupe::core;

namespace {

constexpr owner_id alice{1}, bob{2};
using kind = block_event::kind;

/// A pool of blocks of four tokens, and prompts made of letters: "abc" is three blocks, each of one letter four times.
struct fixture {
  explicit fixture(std::uint32_t blocks, std::string retention = "lru")
      : pool({.block_count = blocks, .block_tokens = 4, .retention = std::move(retention)}) {}

  static std::vector<token_id> tokens(std::string_view letters) {
    std::vector<token_id> all;
    for (const char letter : letters) all.insert(all.end(), 4, letter);
    return all;
  }
  [[nodiscard]] std::vector<block_identity> chain(std::string_view letters) const {
    std::vector<block_identity> all;
    hasher.extend(all, tokens(letters));
    return all;
  }
  [[nodiscard]] block_identity last(std::string_view letters) const { return chain(letters).back(); }

  std::uint32_t match(std::string_view letters, owner_id owner, std::vector<block_index>& table) {
    const turn_opening opening{++turns, turn_input::unknown, static_cast<std::uint32_t>(letters.size())};
    return pool.acquire_prefix(chain(letters), hasher.root(), tokens(letters), owner, table, &opening);
  }
  /// A whole turn of `owner` at `now`: nothing of it is leased afterwards.
  void turn(std::string_view letters, owner_id owner, turn_end end, instant now) {
    pool.set_time(now);
    release(run(letters, owner));
    pool.finish_turn(owner, {.turn = turns, .end = end});
  }
  /// What a sequence does: match, compute the rest, publish it. The table keeps its leases.
  std::vector<block_index> run(std::string_view letters, owner_id owner) {
    std::vector<block_index> table;
    const auto matched = match(letters, owner, table);
    if (!pool.acquire_private(static_cast<std::uint32_t>(letters.size()) - matched, table)) return table;
    for (std::size_t i = matched; i < letters.size(); ++i) table[i] = publish(letters.substr(0, i + 1), table[i], owner);
    return table;
  }
  block_index publish(std::string_view letters, block_index block, owner_id owner, bool may_swap = true) {
    const auto names = chain(letters);
    const block_hash parent = names.size() == 1 ? hasher.root() : names[names.size() - 2].hash;
    const auto all = tokens(letters);
    return pool.publish(block, names.back(), parent, std::span(all).last(4), owner, {.may_swap = may_swap});
  }
  void release(const std::vector<block_index>& table) {
    for (const block_index block : table | std::views::reverse) pool.release(block);
  }
  [[nodiscard]] bool sound() const {
    const auto found = pool.check_integrity();
    if (found) MESSAGE(*found);
    return !found;
  }

  std::uint64_t turns = 0;
  block_hasher hasher{std::uint64_t{7}, 4};
  block_pool pool;
};

using table_type = std::vector<block_index>;

}  // namespace

TEST_CASE("blocks are leased in order and counted") {
  fixture f(8);
  CHECK(f.run("abc", alice) == table_type{0, 1, 2});
  const auto counts = f.pool.counts();
  CHECK(counts.total == 8);
  CHECK(counts.free == 5);
  CHECK(counts.leased == 3);
  CHECK(counts.cached == 3);
  CHECK(counts.stored == 3);
  CHECK(f.pool.available() == 5);
  CHECK(f.sound());
}

TEST_CASE("the longest cached prefix is shared and its leases are counted per sequence") {
  fixture f(8);
  const auto first = f.run("abc", alice);
  table_type second;
  CHECK(f.match("abx", bob, second) == 2);
  CHECK(second == table_type{0, 1});
  CHECK(f.pool.leases(0) == 2);
  CHECK(f.pool.leases(2) == 1);
  f.release(first);
  CHECK(f.pool.available() == 6);  // five free, and c
  CHECK(f.sound());
  f.release(second);
  CHECK(f.pool.available() == 8);
  CHECK(f.pool.counts().leased == 0);
  CHECK(f.sound());
}

TEST_CASE("the least recently used leaf leaves first, deeper blocks of one release before their parents") {
  fixture f(6);
  f.release(f.run("abc", alice));
  f.release(f.run("xyz", alice));
  table_type touched;
  CHECK(f.match("a", alice, touched) == 1);  // a is used again; b and c are not
  f.release(touched);
  (void)f.pool.take_events();
  table_type fresh;
  CHECK(f.pool.acquire_private(6, fresh));
  CHECK(fresh == table_type{2, 1, 5, 4, 3, 0});
  std::vector<block_event> expected;
  for (const char* gone : {"abc", "ab", "xyz", "xy", "x", "a"}) expected.push_back({kind::removed, f.last(gone), {}});
  CHECK(f.pool.take_events() == expected);
  CHECK(f.pool.counts().removed_by(eviction_cause::capacity) == 6);
  CHECK(f.sound());
}

TEST_CASE("a table released from its front is still evicted leaf first") {
  fixture f(4);
  for (const block_index block : f.run("abc", alice)) {
    f.pool.release(block);
    CHECK(f.sound());
  }
  table_type fresh;
  CHECK(f.pool.acquire_private(4, fresh));
  CHECK(fresh == table_type{3, 2, 1, 0});
}

TEST_CASE("private blocks are all or nothing and leased blocks are never evicted") {
  fixture f(4);
  const auto held = f.run("ab", alice);
  f.release(f.run("abc", alice));
  table_type fresh;
  CHECK_FALSE(f.pool.acquire_private(3, fresh));
  CHECK(fresh.empty());
  CHECK(f.pool.is_cached(f.last("abc").hash));
  CHECK(f.pool.acquire_private(2, fresh));
  CHECK(fresh == table_type{3, 2});
  CHECK_FALSE(f.pool.is_cached(f.last("abc").hash));
  CHECK(f.pool.is_cached(f.last("ab").hash));
  CHECK(f.sound());
}

TEST_CASE("stored events name parents, parents come first, and the snapshot repeats them") {
  fixture f(8);
  f.release(f.run("abc", alice));
  const std::vector<block_event> expected{{kind::stored, f.last("a"), f.hasher.root()},
                                          {kind::stored, f.last("ab"), f.last("a").hash},
                                          {kind::stored, f.last("abc"), f.last("ab").hash}};
  CHECK(f.pool.take_events() == expected);
  CHECK(f.pool.take_events().empty());
  CHECK(f.pool.snapshot() == expected);
}

TEST_CASE("a duplicate is swapped for the cached block, or stays private while a ticket names it") {
  fixture f(4);
  const auto first = f.run("a", alice);
  table_type own;
  CHECK(f.pool.acquire_private(2, own));
  CHECK(f.publish("a", own[0], bob, false) == own[0]);
  CHECK(f.pool.counts().cached == 1);
  CHECK(f.pool.leases(first[0]) == 1);
  CHECK(f.publish("ab", own[1], bob) == own[1]);  // below the cached twin of its parent
  CHECK(f.sound());
  f.release(first);
  CHECK(f.pool.available() == 1);  // the twin has a leased child: it must not be evicted
  CHECK(f.publish("a", own[0], bob) == first[0]);
  CHECK(f.pool.counts().free == 2);
  CHECK(f.pool.leases(first[0]) == 1);
  CHECK(f.sound());
}

TEST_CASE("a block whose parent is not cached stays private") {
  fixture f(4);
  table_type own;
  CHECK(f.pool.acquire_private(2, own));
  CHECK(f.publish("ab", own[1], alice) == own[1]);
  CHECK(f.pool.counts().cached == 0);
  CHECK(f.pool.take_events().empty());
  CHECK(f.publish("a", own[0], alice) == own[0]);
  CHECK(f.publish("ab", own[1], alice) == own[1]);
  CHECK(f.pool.counts().cached == 2);
  CHECK(f.publish("ab", own[1], alice) == own[1]);  // again: nothing happens
  CHECK(f.pool.counts().stored == 2);
  CHECK(f.sound());
}

TEST_CASE("a hash whose tokens or parent differ is a miss and is counted") {
  fixture f(4);
  f.release(f.run("ab", alice));
  table_type table;
  CHECK(f.pool.acquire_prefix(f.chain("ab"), f.hasher.root(), fixture::tokens("ax"), bob, table) == 1);
  CHECK(f.pool.counts().hash_mismatches == 1);
  CHECK(f.pool.acquire_prefix(f.chain("a"), {0, 99}, fixture::tokens("a"), bob, table) == 0);
  CHECK(f.pool.counts().hash_mismatches == 2);
  table_type own;
  CHECK(f.pool.acquire_private(1, own));
  const auto other = fixture::tokens("z");
  CHECK(f.pool.publish(own[0], f.last("a"), f.hasher.root(), other, bob, {}) == own[0]);
  CHECK(f.pool.counts().hash_mismatches == 3);
  CHECK(f.pool.counts().cached == 2);
  CHECK(f.pool.acquire_prefix(f.chain("ab"), f.hasher.root(), std::span(other).first(3), bob, table) == 0);  // too few tokens
  CHECK(f.pool.counts().hash_mismatches == 3);
  CHECK(f.sound());
}

TEST_CASE("a dead owner's blocks are freed at once, leaves first, and what others own stays") {
  fixture f(8);
  f.release(f.run("abcd", alice));
  f.release(f.run("abx", bob));
  (void)f.pool.take_events();
  CHECK(f.pool.release_owner(alice) == 2);
  CHECK(f.pool.take_events() == std::vector<block_event>{{kind::removed, f.last("abcd"), {}}, {kind::removed, f.last("abc"), {}}});
  CHECK(f.pool.counts().removed_by(eviction_cause::death) == 2);
  CHECK(f.pool.counts().removed_by(eviction_cause::capacity) == 0);
  CHECK(f.sound());
  CHECK(f.pool.release_owner(alice) == 0);
  CHECK(f.pool.release_owner(bob) == 3);
  CHECK(f.pool.counts().free == 8);
  CHECK(f.sound());
}

TEST_CASE("a dead owner's leased blocks are freed with their last lease") {
  fixture f(8);
  const auto table = f.run("abc", alice);
  f.release({table[1], table[2]});  // a is still leased
  CHECK(f.pool.release_owner(alice) == 2);
  CHECK(f.pool.counts().free == 7);
  CHECK(f.sound());
  f.pool.release(table[0]);
  CHECK(f.pool.counts().free == 8);
  CHECK(f.pool.counts().removed_by(eviction_cause::death) == 3);
  CHECK(f.sound());
}

TEST_CASE("a block published after its owner's release makes the owner own the whole chain again") {
  fixture f(8);
  const auto table = f.run("ab", alice);
  CHECK(f.pool.release_owner(alice) == 0);
  table_type more;
  CHECK(f.pool.acquire_private(1, more));
  CHECK(f.publish("abc", more[0], alice) == more[0]);
  CHECK(f.sound());
  f.release({table[0], table[1], more[0]});
  CHECK(f.pool.counts().cached == 3);
  CHECK(f.pool.release_owner(alice) == 3);
  CHECK(f.sound());
}

TEST_CASE("an owner whose blocks were evicted does not free their successors") {
  fixture f(2);
  f.release(f.run("ab", alice));
  f.release(f.run("xy", bob));
  CHECK(f.pool.counts().removed_by(eviction_cause::capacity) == 2);
  CHECK(f.pool.release_owner(alice) == 0);
  CHECK(f.pool.counts().cached == 2);
  CHECK(f.sound());
}

TEST_CASE("a demoted owner's own blocks are the next to leave, leaves first, and what others share or use stays") {
  fixture f(8);
  f.release(f.run("abc", alice));
  f.release(f.run("abd", bob));
  const auto used = f.run("xy", bob);
  CHECK(f.pool.demote_owner(bob) == 1);  // "abd"; "a" and "ab" are shared, "xy" is in use
  CHECK(f.sound());
  std::vector<block_index> taken;
  REQUIRE(f.pool.acquire_private(3, taken));
  CHECK(f.pool.is_cached(f.last("abc").hash));
  CHECK_FALSE(f.pool.is_cached(f.last("abd").hash));
  f.release(taken);
  f.release(used);
  CHECK(f.pool.demote_owner(bob) == 2);
  CHECK(f.sound());
  taken.clear();
  REQUIRE(f.pool.acquire_private(4, taken));
  CHECK(f.pool.is_cached(f.last("x").hash));
  CHECK_FALSE(f.pool.is_cached(f.last("xy").hash));
  CHECK(f.pool.is_cached(f.last("abc").hash));
  CHECK(f.pool.demote_owner(owner_id{99}) == 0);
}

TEST_CASE("ending a lease twice is a defect of the caller") {
  fixture f(2);
  const auto table = f.run("a", alice);
  f.pool.release(table[0]);
  CHECK_THROWS_AS(f.pool.release(table[0]), std::logic_error);
  CHECK_THROWS_AS(f.pool.release(1), std::logic_error);
  CHECK(f.sound());
}

TEST_CASE("an owner that has no more use for the end of a chain gives it up alone") {
  fixture f(8);
  f.release(f.run("abcd", alice));
  f.release(f.run("abx", bob));
  CHECK(f.pool.forget(alice, f.chain("abcd"), eviction_cause::rewind) == 2);  // "abcd" and "abc"; bob builds on "ab"
  CHECK(f.pool.is_cached(f.last("ab").hash));
  CHECK_FALSE(f.pool.is_cached(f.last("abc").hash));
  CHECK(f.pool.counts().removed_by(eviction_cause::rewind) == 2);
  CHECK(f.pool.owner_count(f.pool.find(f.last("ab").hash)) == 2);
  CHECK(f.pool.release_owner(bob, eviction_cause::ttl) == 1);  // "abx"; alice still owns "ab"
  CHECK(f.pool.counts().removed_by(eviction_cause::ttl) == 1);
  CHECK(f.sound());
}

TEST_CASE("what is given up while it is in use becomes free when its lease ends, and the cause is remembered") {
  fixture f(8);
  const auto table = f.run("abc", alice);
  const auto chain = f.chain("abc");
  CHECK(f.pool.forget(alice, std::span(chain).subspan(1), eviction_cause::superseded) == 0);
  CHECK(f.sound());
  f.release(table);
  CHECK(f.pool.is_cached(f.last("a").hash));
  CHECK_FALSE(f.pool.is_cached(f.last("ab").hash));
  CHECK(f.pool.counts().removed_by(eviction_cause::superseded) == 2);
  CHECK(f.sound());
}

TEST_CASE("under lifecycle the session that comes back soon keeps its blocks") {
  using namespace std::chrono_literals;
  fixture f(8, "lifecycle");
  // Tool calls come back after two seconds, people after a day: learned from a session of each kind.
  std::string tools = "t", person = "p";
  instant at{0};
  for (int i = 0; i < 30; ++i) {
    f.turn(tools, alice, turn_end::tool_calls, at += 2s);
    f.turn("p", bob, turn_end::stop, at);
    f.pool.release_owner(bob);
  }
  f.turn("ab", owner_id{3}, turn_end::tool_calls, at);
  f.turn("xyzw", owner_id{4}, turn_end::stop, at += 1ms);  // the later one
  f.turn("klm", owner_id{5}, turn_end::stop, at += 1ms);   // takes the room of two blocks
  CHECK(f.pool.is_cached(f.last("ab").hash));
  CHECK_FALSE(f.pool.is_cached(f.last("xyzw").hash));
  CHECK(f.pool.counts().removed_by(eviction_cause::capacity) == 2);
  CHECK(f.sound());
}

TEST_CASE("a retention policy that nobody knows is refused") {
  CHECK_THROWS_AS(fixture(4, std::string("best")), std::invalid_argument);
}

TEST_CASE("random sequences and deaths keep every invariant and lose no block") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    fixture f(4 + random() % 30, seed % 2 == 0 ? "lifecycle" : "lru");
    std::vector<table_type> held;
    for (int step = 0; step < 300; ++step) {
      CAPTURE(step);
      const auto choice = random() % 10;
      if (choice < 5) {
        std::string letters;
        for (std::size_t i = 0, n = 1 + random() % 6; i < n; ++i) letters.push_back(static_cast<char>('a' + random() % 2));
        const auto table = f.run(letters, owner_id{random() % 5});
        held.push_back(table);  // where the pool was full: the matched part
      } else if (choice < 9 && !held.empty()) {
        std::swap(held[random() % held.size()], held.back());
        f.release(held.back());
        held.pop_back();
      } else if (random() % 2 == 0) {
        f.pool.release_owner(owner_id{random() % 5});
      } else {
        std::string letters;
        for (std::size_t i = 0, n = 1 + random() % 6; i < n; ++i) letters.push_back(static_cast<char>('a' + random() % 2));
        const auto chain = f.chain(letters);
        f.pool.forget(owner_id{random() % 5}, std::span(chain).subspan(random() % letters.size()), eviction_cause::rewind);
      }
      f.pool.set_time(std::chrono::seconds(step));
      REQUIRE(f.sound());
    }
    for (const auto& table : held) f.release(table);
    for (std::uint64_t owner = 0; owner < 5; ++owner) f.pool.release_owner(owner_id{owner});
    REQUIRE(f.sound());
    CHECK(f.pool.counts().free == f.pool.counts().total);
  }
}
