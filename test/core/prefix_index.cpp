#include "engine/core/prefix_index.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace troupe::core;

namespace {

using entries = std::vector<prefix_index::entry>;
using ids_type = std::vector<std::uint64_t>;
using matches_type = std::vector<holder_match>;

matches_type lookup(const prefix_index& index, const ids_type& symbols) {
  matches_type matches;
  index.lookup(symbols, matches);
  return matches;
}

/// The index as its definition says it: sets of holders per block, walked from the root.
struct model {
  struct block {
    std::uint64_t parent = 0, symbol = 0;
    std::set<holder_id> holders;
  };
  void store(holder_id holder, std::uint64_t parent, const entries& chain) {
    for (const auto& each : chain) {
      auto [at, fresh] = blocks.try_emplace(each.id);
      if (fresh) at->second = {parent, each.symbol, {}};
      at->second.holders.insert(holder);
      parent = each.id;
    }
  }
  void remove(holder_id holder, std::uint64_t id) {
    const auto at = blocks.find(id);
    if (at == blocks.end()) return;
    at->second.holders.erase(holder);
    if (at->second.holders.empty()) blocks.erase(at);
  }
  [[nodiscard]] matches_type lookup(const ids_type& symbols) const {
    std::map<holder_id, std::uint32_t> depth;
    std::uint64_t parent = 0;
    for (std::uint32_t i = 0; i < symbols.size(); ++i) {
      const auto at =
          std::ranges::find_if(blocks, [&](const auto& each) { return each.second.parent == parent && each.second.symbol == symbols[i]; });
      if (at == blocks.end()) break;
      for (const holder_id holder : at->second.holders) {
        if (const auto seen = depth.find(holder); i == 0 || (seen != depth.end() && seen->second == i)) depth[holder] = i + 1;
      }
      parent = at->first;
    }
    matches_type matches;
    for (const auto& [holder, blocks_held] : depth) matches.push_back({holder, blocks_held});
    return matches;
  }
  [[nodiscard]] std::size_t memberships() const {
    std::size_t sum = 0;
    for (const auto& each : blocks) sum += each.second.holders.size();
    return sum;
  }
  std::map<std::uint64_t, block> blocks;
};

}  // namespace

TEST_CASE("a lookup answers each holder's leading blocks, by holder") {
  prefix_index index;
  index.store(7, 0, entries{{1, 11}, {2, 12}, {3, 13}});
  index.store(2, 0, entries{{1, 11}, {2, 12}});
  index.store(5, 12, entries{{9, 19}});  // 5 has no first block
  CHECK(lookup(index, {1, 2, 3, 4}) == matches_type{{2, 2}, {7, 3}});
  CHECK(lookup(index, {1, 2, 9}) == matches_type{{2, 2}, {7, 2}});
  CHECK(lookup(index, {2}).empty());
  CHECK(lookup(index, {}).empty());
  CHECK(index.blocks() == 4);
  CHECK(index.memberships() == 6);
}

TEST_CASE("storing and removing twice changes nothing") {
  prefix_index index;
  index.store(1, 0, entries{{1, 11}, {2, 12}});
  index.store(1, 0, entries{{1, 11}, {2, 12}});
  CHECK(index.memberships() == 2);
  index.remove(1, ids_type{12, 12, 99, 0});
  index.remove(2, ids_type{11});
  CHECK(index.blocks() == 1);
  CHECK(index.memberships() == 1);
  CHECK(lookup(index, {1, 2}) == matches_type{{1, 1}});
}

TEST_CASE("equal symbols below different parents are different blocks") {
  prefix_index index;
  index.store(1, 0, entries{{5, 11}, {5, 12}, {5, 13}});
  CHECK(lookup(index, {5, 5, 5, 5}) == matches_type{{1, 3}});
  index.store(2, 0, entries{{6, 21}, {5, 22}});
  CHECK(lookup(index, {6, 5}) == matches_type{{2, 2}});
}

TEST_CASE("blocks below an unknown parent become reachable when it is stored, and again after it was removed") {
  prefix_index index;
  index.store(1, 11, entries{{2, 12}, {3, 13}});
  index.store(1, 11, entries{{4, 14}});
  CHECK(lookup(index, {1, 2, 3}).empty());
  CHECK(index.blocks() == 3);
  index.store(1, 0, entries{{1, 11}});
  CHECK(lookup(index, {1, 2, 3}) == matches_type{{1, 3}});
  CHECK(lookup(index, {1, 4}) == matches_type{{1, 2}});
  index.remove(1, ids_type{11});
  CHECK(lookup(index, {1, 4}).empty());
  index.store(1, 0, entries{{1, 11}});
  CHECK(lookup(index, {1, 2, 3}) == matches_type{{1, 3}});
  CHECK(lookup(index, {1, 4}) == matches_type{{1, 2}});
}

TEST_CASE("a holder that is gone leaves nothing behind") {
  prefix_index index;
  index.store(1, 0, entries{{1, 11}, {2, 12}});
  index.store(2, 0, entries{{1, 11}, {3, 13}});
  index.remove_holder(1);
  CHECK(index.blocks() == 2);
  CHECK(index.memberships() == 2);
  CHECK(lookup(index, {1, 2}) == matches_type{{2, 1}});
  index.remove_holder(2);
  CHECK(index.blocks() == 0);
  CHECK(lookup(index, {1}).empty());
}

TEST_CASE("a block that names itself as its parent, or the number of no block, does no harm") {
  prefix_index index;
  index.store(1, 11, entries{{1, 11}});
  index.store(1, 11, entries{{2, 12}});
  index.store(1, 0, entries{{3, 0}, {4, 14}});
  CHECK(lookup(index, {1, 1}).empty());
  index.remove(1, ids_type{11, 12});
  CHECK(index.blocks() == 0);
}

TEST_CASE("random stores and removals agree with the definition") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    prefix_index index;
    model expected;
    const std::uint64_t letters = 2 + seed % 3, holders = 1 + seed % 6;
    // The chain of a word: its ids are its prefixes read as numbers.
    const auto word = [&] {
      entries chain;
      std::uint64_t id = 1;
      for (std::size_t i = 0, n = 1 + random() % 7; i < n; ++i) {
        const std::uint64_t symbol = random() % letters;
        id = id * 4 + symbol;
        chain.push_back({symbol, id});
      }
      return chain;
    };
    for (int step = 0; step < 400; ++step) {
      CAPTURE(step);
      const auto holder = static_cast<holder_id>(random() % holders);
      const auto chain = word();
      if (random() % 5 < 3) {
        const std::size_t from = random() % chain.size();  // the rest of a chain, whatever is known of its beginning
        const std::uint64_t parent = from == 0 ? 0 : chain[from - 1].id;
        index.store(holder, parent, std::span(chain).subspan(from));
        expected.store(holder, parent, entries(chain.begin() + static_cast<std::ptrdiff_t>(from), chain.end()));
      } else if (random() % 40 == 0) {
        index.remove_holder(holder);
        for (std::uint64_t id = 0; id < 4 << 14; ++id) expected.remove(holder, id);
      } else {
        index.remove(holder, ids_type{chain.back().id});
        expected.remove(holder, chain.back().id);
      }
      ids_type symbols;
      for (const auto& each : word()) symbols.push_back(each.symbol);
      REQUIRE(lookup(index, symbols) == expected.lookup(symbols));
      REQUIRE(index.blocks() == expected.blocks.size());
      REQUIRE(index.memberships() == expected.memberships());
    }
  }
}
