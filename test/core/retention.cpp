#include "engine/core/retention/retention_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "engine/core/retention/ranked_heap.hpp"
#include "engine/core/retention/return_model.hpp"
#include "engine/core/retention/tenant_order.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

using chain = std::vector<block_index>;

/// A pool of `capacity` blocks that keeps whole chains: what a worker does between two turns, without the turns.
struct small_pool {
  small_pool(std::string_view name, std::size_t capacity) : policy(make_retention_policy(name, {.block_count = 64})), capacity_(capacity) {
    REQUIRE(policy);
  }

  /// One turn of `stream` over `path`; returns how many leading blocks were there.
  std::size_t turn(stream_id stream, const chain& path, instant now) {
    std::size_t hits = 0;
    while (hits < path.size() && resident.contains(path[hits])) ++hits;
    const std::span all(path);
    policy->turn_started(
        {.stream = stream, .turn = ++turns, .resident = all.first(hits), .blocks = static_cast<std::uint32_t>(path.size())}, now);
    policy->busy(all.first(hits));
    for (auto at = hits; at < path.size(); ++at) {
      if (resident.size() == capacity_) REQUIRE(evict(now) != no_block);
      policy->stored(path[at], at == 0 ? no_block : path[at - 1]);
      resident[path[at]] = at == 0 ? no_block : path[at - 1];
    }
    policy->context(stream, all, now);
    policy->idle(all, now);
    return hits;
  }
  void finish(stream_id stream, turn_end end, instant now) { policy->turn_finished({.stream = stream, .turn = turns, .end = end}, now); }

  block_index evict(instant now) {
    const eviction gone = policy->victim({}, now);
    if (gone.block == no_block) return no_block;
    REQUIRE(resident.contains(gone.block));
    const bool is_leaf = std::none_of(resident.begin(), resident.end(), [&](const auto& each) { return each.second == gone.block; });
    CHECK_MESSAGE(is_leaf, "block " << gone.block << " has a child");
    policy->removed(gone.block);
    resident.erase(gone.block);
    last_cause = gone.cause;
    return gone.block;
  }

  chain evict_all(instant now) {
    chain order;
    for (block_index gone = evict(now); gone != no_block; gone = evict(now)) order.push_back(gone);
    return order;
  }

  std::unique_ptr<retention_policy> policy;
  std::map<block_index, block_index> resident;  ///< with their parents
  std::uint64_t turns = 0;
  eviction_cause last_cause = eviction_cause::capacity;

 private:
  std::size_t capacity_;
};

}  // namespace

TEST_CASE("every retention policy has a name and an unknown name has none") {
  CHECK(retention_policy_names() == std::vector<std::string_view>{"lru", "priority", "lifecycle", "belady"});
  for (const auto name : retention_policy_names()) CHECK(make_retention_policy(name, {.block_count = 4}));
  CHECK_FALSE(make_retention_policy("best", {}));
}

TEST_CASE("lru lets the least recently used chain go first, from its end") {
  small_pool pool("lru", 16);
  pool.turn(0, {0, 1, 2}, 1s);
  pool.turn(1, {5, 6}, 2s);
  pool.turn(0, {0, 1}, 3s);
  CHECK(pool.evict_all(4s) == chain{2, 6, 5, 1, 0});
}

TEST_CASE("priority goes by rank, then by last use") {
  small_pool pool("priority", 16);
  pool.turn(0, {0, 1, 2}, 1s);
  pool.turn(1, {5, 6}, 2s);
  pool.turn(2, {8}, 3s);
  for (const block_index block : {0, 1}) pool.policy->ranked(block, 40);
  pool.policy->ranked(8, 10);
  CHECK(pool.evict_all(4s) == chain{8, 2, 6, 5, 1, 0});
}

TEST_CASE("a rank that is taken back gives the block its old place") {
  small_pool pool("priority", 16);
  for (block_index block = 0; block < 4; ++block) pool.turn(block, {block}, 1s);
  pool.policy->ranked(1, 90);
  pool.policy->ranked(2, 5);
  pool.policy->ranked(1, rank_default);
  pool.policy->ranked(2, rank_default);
  CHECK(pool.evict_all(2s) == chain{0, 1, 2, 3});
}

TEST_CASE("what is pinned stays until the pin ends") {
  for (const auto* name : {"lru", "priority", "lifecycle"}) {
    CAPTURE(name);
    small_pool pool(name, 16);
    pool.turn(0, {0, 1, 2}, 1s);
    for (const block_index block : {0, 1}) pool.policy->ranked(block, rank_pinned);
    CHECK(pool.evict_all(5s) == chain{2});
    for (const block_index block : {0, 1}) pool.policy->ranked(block, rank_default);
    CHECK(pool.evict_all(5s) == chain{1, 0});
  }
}

TEST_CASE("lru knows no rank but pinned") {
  small_pool pool("lru", 16);
  for (block_index block = 0; block < 3; ++block) pool.turn(block, {block}, 1s);
  pool.policy->ranked(0, 100);
  pool.policy->ranked(1, rank_pinned);
  pool.policy->ranked(2, 0);
  CHECK(pool.evict_all(2s) == chain{0, 2});
}

TEST_CASE("a context follows the rank of its last block, up and down") {
  small_pool pool("lifecycle", 16);
  pool.turn(0, {0}, 1s);
  pool.turn(1, {1}, 1s);
  pool.turn(2, {2}, 1s);
  pool.policy->ranked(0, 60);
  pool.policy->ranked(2, 50);
  CHECK(pool.evict(2s) == 1);
  pool.policy->ranked(0, 40);
  CHECK(pool.evict(2s) == 0);
  CHECK(pool.evict(2s) == 2);
}

TEST_CASE("a low rank waits for the children of its block, which keep theirs") {
  for (const auto* name : {"priority", "lifecycle"}) {
    CAPTURE(name);
    small_pool pool(name, 16);
    pool.turn(0, {0, 1, 2}, 1s);
    pool.turn(1, {5}, 1s);
    for (const block_index block : {0, 1}) pool.policy->ranked(block, 3);
    CHECK(pool.evict(2s) == 2);  // the two were used at once, and this one was queued first
    CHECK(pool.evict_all(2s) == chain{1, 0, 5});
  }
}

TEST_CASE("blocks that wait for their children are no candidates, however many and however low") {
  constexpr block_index inner = 100'000;
  residency blocks(inner + 2);
  for (block_index block = 0; block <= inner; ++block) blocks.store(block, block == 0 ? no_block : block - 1);
  blocks.store(inner + 1, no_block);
  for (block_index block = inner + 1; block-- > 0;) blocks.append(block);
  blocks.append(inner + 1);
  for (block_index block = 0; block < inner; ++block) blocks.set_rank(block, 0);
  CHECK(blocks.candidates() == 2);
  CHECK(blocks.first() == inner);  // the only leaves are its chain's end and the block beside it
  blocks.set_rank(inner + 1, 20);
  CHECK(blocks.first() == inner + 1);
  blocks.unlink(inner + 1);
  std::size_t most = 0, in_order = 0;
  for (block_index block = inner + 1; block-- > 0;) {
    most = std::max(most, blocks.candidates());
    in_order += blocks.first() == block;
    blocks.remove(blocks.first());
  }
  CHECK(most == 1);
  CHECK(in_order == inner + 1);
}

TEST_CASE("a block in use is no victim") {
  for (const auto* name : {"lru", "lifecycle"}) {
    CAPTURE(name);
    small_pool pool(name, 16);
    pool.turn(0, {0, 1}, 1s);
    pool.turn(1, {5}, 2s);
    pool.policy->busy(chain{0, 1});
    CHECK(pool.evict(3s) == 5);
    CHECK(pool.evict(3s) == no_block);
    pool.policy->idle(chain{0, 1}, 3s);
    CHECK(pool.evict(3s) == 1);
  }
}

TEST_CASE("blocks that no current context contains leave first, and say why") {
  small_pool pool("lifecycle", 16);
  pool.turn(0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1s);
  pool.turn(1, {20, 21}, 2s);
  pool.turn(0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11}, 3s);  // its last block was rewritten
  CHECK(pool.evict(4s) == 10);
  CHECK(pool.last_cause == eviction_cause::superseded);
  pool.policy->died(1, eviction_cause::death, 5s);
  CHECK(pool.evict(5s) == 21);
  CHECK(pool.last_cause == eviction_cause::death);
  CHECK(pool.evict(5s) == 20);
}

TEST_CASE("a shared prefix stays as long as one stream claims it") {
  small_pool pool("lifecycle", 16);
  pool.turn(0, {0, 1, 2}, 1s);
  pool.turn(1, {0, 1, 5}, 2s);
  pool.policy->died(0, eviction_cause::death, 3s);
  CHECK(pool.evict(4s) == 2);
  CHECK(pool.evict(4s) == 5);
  CHECK(pool.last_cause == eviction_cause::capacity);
}

TEST_CASE("lifecycle learns which pauses are short and keeps those contexts") {
  small_pool pool("lifecycle", 40);
  instant now = 0s;
  for (int round = 0; round < 60; ++round) {  // after tool calls this stream is back in 5 s, after an answer it takes 10 minutes
    pool.turn(0, {0, 1}, now);
    pool.finish(0, turn_end::tool_calls, now += 1s);
    pool.turn(0, {0, 1}, now += 5s);
    pool.finish(0, turn_end::stop, now += 1s);
    now += 600s;
  }
  pool.turn(1, {10, 11}, now);
  pool.finish(1, turn_end::tool_calls, now += 1s);
  pool.turn(2, {20, 21}, now);  // used later, but a person has to read its answer first
  pool.finish(2, turn_end::stop, now += 1s);
  CHECK(pool.evict(now += 1s) == 21);
  CHECK(pool.evict(now) == 20);
}

TEST_CASE("a stream that does not fit does not displace those that will be back sooner") {
  small_pool pool("lifecycle", 4);
  instant now = 0s;
  for (int round = 0; round < 60; ++round) {
    pool.turn(0, {0, 1}, now);
    pool.finish(0, turn_end::tool_calls, now += 1s);
    now += 2s;
  }
  pool.turn(0, {0, 1}, now);
  pool.finish(0, turn_end::tool_calls, now);
  pool.policy->turn_started({.stream = 7, .turn = 999, .input = turn_input::person, .blocks = 4}, now + 100ms);
  const eviction forced = pool.policy->victim({}, now + 100ms);
  CHECK(forced.block == 1);
}

TEST_CASE("waits that never end count: a wait longer than any before is worth little") {
  return_model model;
  const auto all = model.classes_of({0, return_model::none, return_model::none, return_model::none, return_model::none});
  for (int wait = 0; wait < 200; ++wait) {
    const int last = wait % 2 == 0 ? return_model::bin_of(10) : return_model::bin_of(5000);
    for (int bin = 0; bin <= last; ++bin) model.reached(all, bin);
    if (wait % 2 == 0) model.ended(all, last);
  }
  const double fresh = model.worth(all, 0), late = model.worth(all, return_model::bin_of(60));
  CHECK(fresh > 0.02);
  CHECK(late < fresh / 50);
}

TEST_CASE("a bin contains the time at which it begins") {
  for (int bin = 1; bin < return_model::bins; ++bin) CHECK(return_model::bin_of(return_model::begin_of(bin)) == bin);
  CHECK(return_model::bin_of(0) == 0);
  CHECK(return_model::bin_of(1e12) == return_model::bins - 1);
}

TEST_CASE("a ranked heap agrees with sorting, whatever changes") {
  std::mt19937 rng(7);
  ranked_heap<int> heap;
  std::map<std::uint32_t, int> reference;
  for (int step = 0; step < 4000; ++step) {
    const std::uint32_t item = rng() % 50;
    if (rng() % 3 == 0) {
      heap.erase(item);
      reference.erase(item);
    } else {
      const int key = static_cast<int>(rng() % 1000);
      heap.put(item, key);
      reference[item] = key;
    }
    REQUIRE(heap.size() == reference.size());
    if (reference.empty()) continue;
    const auto least =
        std::min_element(reference.begin(), reference.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    REQUIRE(heap.key(heap.first()) == least->second);
    std::vector<int> in_order;
    heap.visit_in_order([&](std::uint32_t visited) { return in_order.push_back(heap.key(visited)), in_order.size() < 10; });
    REQUIRE(in_order.size() == std::min<std::size_t>(reference.size(), 10));
    REQUIRE(std::ranges::is_sorted(in_order));
    REQUIRE(in_order.front() == least->second);
  }
}

TEST_CASE("an order of tenants' items agrees with sorting, in all and within each, whatever changes") {
  std::mt19937 rng(11);
  tenant_order<int> order(2);
  std::map<std::uint32_t, int> reference;
  for (int step = 0; step < 4000; ++step) {
    const std::uint32_t item = rng() % 50;
    const auto tenant = static_cast<tenant_index>(item % 3);  // the third has no bound, and so no order of its own
    if (rng() % 3 == 0) {
      order.erase(item, tenant);
      reference.erase(item);
    } else {
      const int key = static_cast<int>(rng() % 20);
      order.put(item, key, tenant);
      reference[item] = key;
    }
    std::vector<std::pair<int, std::uint32_t>> sorted, visited;
    for (const auto& [number, key] : reference) sorted.emplace_back(key, number);
    std::ranges::sort(sorted);
    order.visit_in_order([&](std::uint32_t each) { return visited.emplace_back(order.key(each), each), true; });
    REQUIRE(visited == sorted);
    REQUIRE(order.size() == sorted.size());
    CHECK(order.contains(item) == reference.contains(item));
    for (const tenant_index each : {tenant_index{0}, tenant_index{1}}) {
      const auto own = std::ranges::find_if(sorted, [each](const auto& entry) { return entry.second % 3 == each; });
      REQUIRE(order.empty(each) == (own == sorted.end()));
      if (own != sorted.end()) REQUIRE(order.first(each) == own->second);
    }
    CHECK(order.empty(2));
  }
}

TEST_CASE("whatever happens, victims are resident leaves and everything can leave in the end") {
  for (const auto* name : {"lru", "priority", "lifecycle"}) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(name);
      CAPTURE(seed);
      std::mt19937 rng(seed);
      small_pool pool(name, 24);
      instant now = 0s;
      // Paths of a fixed tree: block b has the parent (b - 1) / 2, so that streams share prefixes.
      for (int step = 0; step < 300; ++step) {
        now += std::chrono::milliseconds(rng() % 20'000);
        const stream_id stream = rng() % 6;
        chain path;
        for (block_index at = rng() % 60;; at = (at - 1) / 2) {
          path.insert(path.begin(), at);
          if (at == 0) break;
        }
        pool.turn(stream, path, now);
        if (rng() % 2 == 0) pool.finish(stream, static_cast<turn_end>(rng() % 4), now += 1s);
        if (rng() % 10 == 0) pool.policy->died(rng() % 6, eviction_cause::death, now);
        if (rng() % 5 == 0) pool.policy->ranked(path[rng() % path.size()], static_cast<std::uint8_t>(rng() % (rank_max + 1)));
        if (rng() % 10 == 0) pool.policy->ranked(path.back(), rank_pinned);
        if (rng() % 4 == 0)  // no pin lasts so long that a turn finds no room
          for (const auto& [block, parent] : pool.resident) pool.policy->ranked(block, rank_default);
        while (pool.resident.size() > 12 && pool.evict(now) != no_block) {
        }
      }
      for (const auto& [block, parent] : pool.resident) pool.policy->ranked(block, rank_default);
      pool.evict_all(now + 1h);
      CHECK(pool.resident.empty());
    }
  }
}
