#include "engine/core/block_hash.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>

using namespace troupe;
using namespace troupe::core;

namespace {

std::vector<token_id> tokens_from(token_id first, std::size_t count) {
  std::vector<token_id> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

hash_scope scope() { return {.secret = 1, .fingerprint = 2, .adapter = "a", .tenant = "t", .cache_salt = "s"}; }

}  // namespace

TEST_CASE("a chain names full blocks only and grows by what is new") {
  const block_hasher hasher(scope(), 4);
  const auto tokens = tokens_from(10, 11);
  std::vector<block_identity> whole;
  hasher.extend(whole, tokens);
  REQUIRE(whole.size() == 2);
  std::vector<block_identity> grown;
  hasher.extend(grown, std::span(tokens).first(5));
  CHECK(grown.size() == 1);
  hasher.extend(grown, tokens);
  CHECK(grown == whole);
  CHECK(whole[0] == hasher.next(hasher.root(), std::span(tokens).first(4)));
  CHECK(whole[1] == hasher.next(whole[0].hash, std::span(tokens).subspan(4, 4)));
}

TEST_CASE("equal tokens after different prefixes share a symbol and not a hash") {
  const block_hasher hasher(scope(), 4);
  const auto tokens = tokens_from(10, 4);
  const block_identity first = hasher.next(hasher.root(), tokens);
  const block_identity second = hasher.next(first.hash, tokens);
  CHECK(first.symbol == second.symbol);
  CHECK(first.hash != second.hash);
}

TEST_CASE("every part of the scope separates roots, hashes and symbols") {
  const block_hasher base(scope(), 4);
  const auto tokens = tokens_from(0, 4);
  const auto separated = [&](hash_scope other) {
    const block_hasher hasher(other, 4);
    const block_identity here = hasher.next(hasher.root(), tokens), there = base.next(base.root(), tokens);
    return hasher.root() != base.root() && here.hash.low != there.hash.low && here.hash.high != there.hash.high &&
           here.symbol != there.symbol;
  };
  CHECK_FALSE(separated(scope()));
  auto other = scope();
  other.secret = 9;
  CHECK(separated(other));
  other = scope();
  other.fingerprint = 9;
  CHECK(separated(other));
  other = scope();
  other.adapter = "b";
  CHECK(separated(other));
  other = scope();
  other.tenant = "u";
  CHECK(separated(other));
  other = scope();
  other.cache_salt = "";
  CHECK(separated(other));
  other = scope();
  other.adapter = "at";  // the same bytes in another split
  other.tenant = "";
  CHECK(separated(other));
}

TEST_CASE("a root is known by its low half and a hasher by its seed") {
  const block_hasher hasher(scope(), 32);
  CHECK(hasher.root().low == 0);
  CHECK(hasher.root().high != 0);
  const block_hasher same(hasher.seed(), 32);
  CHECK(same.root() == hasher.root());
  const auto tokens = tokens_from(5, 32);
  CHECK(same.next(same.root(), tokens) == hasher.next(hasher.root(), tokens));
}

TEST_CASE("hashes are stable: stored blocks outlive the process that named them") {
  const block_hasher hasher(std::uint64_t{42}, 4);
  const block_identity first = hasher.next(hasher.root(), tokens_from(1, 4));
  CHECK(hasher.root().high == 4698145615203278047U);
  CHECK(first.hash.low == 1412985988125337659U);
  CHECK(first.hash.high == 11993412034627856315U);
  CHECK(first.symbol == 14608671080364358214U);
}

TEST_CASE("a block size out of range is refused") {
  CHECK_THROWS_AS(block_hasher(1, 0), std::invalid_argument);
  CHECK_THROWS_AS(block_hasher(1, 4097), std::invalid_argument);
  const block_hasher largest(1, 4096);
  std::vector<block_identity> chain;
  largest.extend(chain, tokens_from(0, 8192));
  CHECK(chain.size() == 2);
}
