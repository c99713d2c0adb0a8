// Which blocks are wished pinned, and until when.
#include "engine/store/stored_pins.hpp"

#include <doctest/doctest.h>

#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;

namespace {

std::vector<core::block_identity> chain_of(std::uint64_t first, std::uint64_t count) {
  std::vector<core::block_identity> chain;
  for (std::uint64_t number = first; number < first + count; ++number) chain.push_back(sample_block(number).block);
  return chain;
}
block_hash hash_of(std::uint64_t number) { return sample_block(number).block.hash; }

}  // namespace

TEST_CASE("a block is pinned until the last of its wishes ends, whoever said it") {
  stored_pins pins;
  const auto chain = chain_of(0, 4);
  CHECK(pins.apply({{1}, 1, chain, {{4, 100}, {2, 300}}}) == 0);
  CHECK(pins.apply({{2}, 1, chain, {{1, 200}}}) == 0);
  CHECK(pins.blocks() == 4);
  CHECK(pins.until(hash_of(0)) == 300);
  CHECK(pins.until(hash_of(3)) == 100);
  CHECK(pins.until(hash_of(4)) == 0);
  CHECK(pins.take_changes().size() == 5);
  pins.expire(99);
  CHECK(pins.take_changes().empty());
  pins.expire(100);
  CHECK(pins.take_changes().size() == 2);
  CHECK(pins.until(hash_of(3)) == 0);
  CHECK(pins.until(hash_of(1)) == 300);
  pins.release({1});
  CHECK(pins.until(hash_of(1)) == 0);
  CHECK(pins.until(hash_of(0)) == 200);
  pins.expire(200);
  CHECK(pins.blocks() == 0);
}

TEST_CASE("the newest generation counts, and an owner that never pinned is not remembered") {
  stored_pins pins;
  const auto chain = chain_of(0, 3);
  pins.apply({{1}, 5, chain, {{3, 100}}});
  pins.apply({{1}, 4, chain, {}});
  CHECK(pins.blocks() == 3);
  pins.apply({{1}, 6, chain, {{1, 50}}});
  CHECK(pins.blocks() == 1);
  CHECK(pins.until(hash_of(0)) == 50);
  pins.apply({{1}, 7, {}, {}});
  CHECK(pins.blocks() == 0);
  pins.apply({{1}, 6, chain, {{3, 100}}});
  CHECK(pins.blocks() == 0);
  pins.apply({{2}, 1, chain, {}});
  pins.release({2});
  pins.take_changes();
  CHECK(pins.take_changes().empty());
}

TEST_CASE("what is wished of one store is bounded") {
  stored_pins pins{5};
  const auto chain = chain_of(0, 4);
  CHECK(pins.apply({{1}, 1, chain, {{4, 100}}}) == 0);
  CHECK(pins.apply({{2}, 1, chain, {{4, 100}}}) == 3);
  pins.release({1});
  CHECK(pins.until(hash_of(0)) == 100);
  CHECK(pins.until(hash_of(1)) == 0);
}
