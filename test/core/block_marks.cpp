#include "engine/core/retention/block_marks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <tuple>

#include "engine/core/retention/retention_policy.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

using changes = std::vector<rank_change>;

block_marks chain_of(std::uint32_t count) {
  block_marks marks(count);
  for (block_index block = 0; block < count; ++block) marks.stored(block, block == 0 ? no_block : block - 1);
  return marks;
}

std::vector<int> ranks(const block_marks& marks, std::uint32_t count) {
  std::vector<int> all;
  for (block_index block = 0; block < count; ++block) all.push_back(marks.rank_of(block));
  return all;
}

/// What marks mean, written down as it is said: each mark is the list of the blocks it holds for.
struct naive_marks {
  struct wish {
    std::vector<block_index> blocks;  ///< from its end to the root, all of them
    std::size_t named = 0;
    std::uint8_t rank = 0;
  };

  void add(mark_id id, block_index block, std::uint32_t count, std::uint8_t rank) {
    wish made{{}, count, rank};
    for (; block != no_block; block = parents.at(block)) made.blocks.push_back(block);
    if (rank >= rank_default) made.named = made.blocks.size();
    wishes[id] = made;
  }
  void removed(block_index block) {
    for (auto& [id, each] : wishes) {
      if (each.blocks.empty() || each.blocks.front() != block) continue;
      each.blocks.erase(each.blocks.begin());
      if (each.named > 0) --each.named;
    }
    parents.erase(block);
  }
  [[nodiscard]] std::uint8_t rank_of(block_index block) const {
    std::optional<std::uint8_t> highest;
    for (const auto& [id, each] : wishes)
      for (std::size_t i = 0; i < std::min(each.named, each.blocks.size()); ++i)
        if (each.blocks[i] == block) highest = std::max(highest.value_or(0), each.rank);
    return highest.value_or(rank_default);
  }
  [[nodiscard]] bool is_leaf(block_index block) const {
    return std::none_of(parents.begin(), parents.end(), [&](const auto& each) { return each.second == block; });
  }

  std::map<block_index, block_index> parents;
  std::map<mark_id, wish> wishes;
};

/// The marks, their naive twin, and a `priority` policy that is told the changes.
struct marked_pool {
  explicit marked_pool(std::uint32_t seed) : rng(seed) {}

  void store() {
    const auto block = static_cast<block_index>(rng() % 40);
    if (naive.parents.contains(block)) return;
    const block_index parent = rng() % 8 == 0 ? no_block : any();
    marks.stored(block, parent);
    policy->stored(block, parent);
    naive.parents[block] = parent;
    use(block);
  }
  void use(block_index block) {
    std::vector<block_index> path;
    for (block_index at = block; at != no_block; at = naive.parents.at(at)) {
      path.insert(path.begin(), at);
      used[at] = ++uses;
    }
    policy->busy(path);
    policy->idle(path, 0s);
  }
  void remove(block_index block) {
    policy->removed(block);
    marks.removed(block);
    naive.removed(block);
  }
  void mark() {
    constexpr std::array<std::uint8_t, 7> some{0, 10, 34, 35, 60, 100, rank_pinned};
    const block_index block = any();
    const auto count = static_cast<std::uint32_t>(1 + rng() % 5);
    const std::uint8_t rank = some[rng() % some.size()];
    if (block != no_block) naive.add(marks.add(block, count, rank), block, count, rank);
  }
  void erase() {
    if (naive.wishes.empty()) return;
    const auto at = std::next(naive.wishes.begin(), static_cast<std::ptrdiff_t>(rng() % naive.wishes.size()));
    marks.erase(at->first);
    naive.wishes.erase(at);
  }
  block_index any() {
    if (naive.parents.empty()) return no_block;
    return std::next(naive.parents.begin(), static_cast<std::ptrdiff_t>(rng() % naive.parents.size()))->first;
  }
  /// The leaf of the lowest rank below the pinned that was used longest ago.
  [[nodiscard]] block_index naive_victim() const {
    std::tuple<int, std::uint64_t, block_index> best{rank_pinned, 0, no_block};
    for (const auto& [block, parent] : naive.parents)
      if (naive.is_leaf(block)) best = std::min(best, {naive.rank_of(block), used.at(block), block});
    return std::get<2>(best);
  }

  std::mt19937 rng;
  block_marks marks{8};
  naive_marks naive;
  std::unique_ptr<retention_policy> policy = make_retention_policy("priority", {.block_count = 40});
  std::map<block_index, std::uint64_t> used;
  std::uint64_t uses = 0;
};

}  // namespace

TEST_CASE("a high mark holds for all blocks before, a low one for those it names") {
  block_marks marks = chain_of(5);
  marks.add(3, 2, 80);
  CHECK(ranks(marks, 5) == std::vector<int>{80, 80, 80, 80, 35});
  marks.add(4, 3, 10);
  CHECK(ranks(marks, 5) == std::vector<int>{80, 80, 80, 80, 10});
  block_marks low = chain_of(5);
  low.add(4, 3, 10);
  CHECK(ranks(low, 5) == std::vector<int>{35, 35, 10, 10, 10});
  low.add(3, 1, 35);
  CHECK(ranks(low, 5) == std::vector<int>{35, 35, 35, 35, 10});
  low.add(0, 1, 255);
  CHECK(low.rank_of(0) == rank_pinned);
}

TEST_CASE("the end of a mark uncovers what the others say, and changes are said once") {
  block_marks marks = chain_of(3);
  const mark_id pinned = marks.add(1, 2, rank_pinned), kept = marks.add(2, 1, 60), again = marks.add(1, 1, rank_pinned);
  CHECK(marks.take_changes() == changes{{1, rank_pinned}, {0, rank_pinned}, {2, 60}});
  marks.erase(pinned);
  CHECK(marks.take_changes().empty());
  marks.erase(again);
  CHECK(marks.take_changes() == changes{{1, 60}, {0, 60}});
  marks.erase(kept);
  marks.erase(kept);
  CHECK(marks.take_changes() == changes{{2, 35}, {1, 35}, {0, 35}});
  CHECK(marks.marks() == 0);
  CHECK(marks.marked_blocks() == 0);
}

TEST_CASE("a mark that comes and goes between two looks is no change") {
  block_marks marks = chain_of(3);
  marks.erase(marks.add(2, 1, 90));
  CHECK(marks.take_changes().empty());
  CHECK(marks.marked_blocks() == 0);
}

TEST_CASE("the marks of a block that leaves go over to its parent") {
  block_marks marks = chain_of(3);
  const mark_id high = marks.add(2, 1, 70);
  marks.removed(2);
  CHECK(ranks(marks, 2) == std::vector<int>{70, 70});
  marks.stored(2, 1);  // another block under the same number
  CHECK(marks.rank_of(2) == 35);
  marks.erase(high);
  CHECK(ranks(marks, 3) == std::vector<int>{35, 35, 35});
}

TEST_CASE("a low mark ends with the last block it names") {
  block_marks marks = chain_of(4);
  const mark_id low = marks.add(3, 2, 5);
  marks.removed(3);
  CHECK(ranks(marks, 3) == std::vector<int>{35, 35, 5});
  marks.removed(2);
  CHECK(ranks(marks, 2) == std::vector<int>{35, 35});
  CHECK(marks.marks() == 1);
  CHECK(marks.marked_blocks() == 0);
  marks.erase(low);
  CHECK(marks.marks() == 0);
}

TEST_CASE("a mark without a block has ended and keeps its id") {
  block_marks marks = chain_of(1);
  const mark_id root = marks.add(0, 1, 80), nowhere = marks.add(7, 1, 80), none = marks.add(0, 0, 80);
  marks.removed(0);
  marks.stored(0, no_block);
  CHECK(marks.rank_of(0) == 35);
  CHECK(marks.marks() == 3);
  const mark_id other = marks.add(0, 1, 50);
  for (const mark_id each : {root, nowhere, none}) marks.erase(each);
  CHECK(marks.rank_of(0) == 50);
  const mark_id reused = marks.add(0, 1, 90);
  marks.erase(root);  // its place has been given to another since
  CHECK(marks.rank_of(0) == 90);
  for (const mark_id each : {other, reused}) marks.erase(each);
  CHECK(marks.rank_of(0) == 35);
}

TEST_CASE("whatever is stored, marked, erased and removed, ranks and victims are those of a naive model") {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    marked_pool pool(seed);
    std::size_t wrong_ranks = 0, wrong_victims = 0;
    for (int step = 0; step < 600; ++step) {
      const auto what = pool.rng() % 10;
      if (what < 4) pool.store();
      if (what == 4 || what == 5) pool.mark();
      if (what == 6) pool.erase();
      if (what == 7 && !pool.naive.parents.empty()) pool.use(pool.any());
      const block_index left = pool.any();
      if (what == 8 && left != no_block && pool.naive.is_leaf(left)) pool.remove(left);
      for (const auto& [block, rank] : pool.marks.take_changes()) pool.policy->ranked(block, rank);
      for (const auto& [block, parent] : pool.naive.parents) wrong_ranks += pool.marks.rank_of(block) != pool.naive.rank_of(block);
      const block_index victim = pool.policy->victim({}, 0s).block;
      wrong_victims += victim != pool.naive_victim();
      if (what == 9 && victim != no_block) pool.remove(victim);
    }
    CHECK(wrong_ranks == 0);
    CHECK(wrong_victims == 0);
    while (!pool.naive.wishes.empty()) pool.erase();
    pool.marks.take_changes();
    CHECK(pool.marks.marks() == 0);
    CHECK(pool.marks.marked_blocks() == 0);
  }
}
