#include "engine/core/single_flight.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::core;

namespace {

using ids = std::vector<std::uint64_t>;
constexpr request_id first{1}, second{2}, third{3};
constexpr instant at(int seconds) { return std::chrono::seconds(seconds); }

}  // namespace

TEST_CASE("the first turn computes, the others wait for the deepest block they share with it") {
  single_flight flights;
  CHECK(flights.claim(first, ids{10, 11, 12}, at(0), at(30)) == std::nullopt);
  CHECK(flights.size() == 3);
  CHECK(flights.claim(second, ids{10, 11, 22}, at(1), at(31)) == 11);
  CHECK(flights.claim(third, ids{30}, at(1), at(31)) == std::nullopt);
  CHECK(flights.size() == 4);
}

TEST_CASE("after a block is stored the waiter computes the rest under a lease of its own") {
  single_flight flights;
  CHECK_FALSE(flights.claim(first, ids{10, 11}, at(0), at(30)));
  CHECK(flights.claim(second, ids{10, 11, 22}, at(0), at(30)) == 11);
  flights.stored(10);
  flights.stored(10);
  CHECK(flights.claim(second, ids{11, 22}, at(1), at(30)) == 11);
  flights.stored(11);
  CHECK(flights.size() == 0);
  CHECK_FALSE(flights.claim(second, ids{22}, at(1), at(30)));
  CHECK(flights.is_claimed(22, at(1)));
}

TEST_CASE("a lease ends with its turn") {
  single_flight flights;
  CHECK_FALSE(flights.claim(first, ids{10, 11}, at(0), at(30)));
  flights.end(second);
  CHECK(flights.is_claimed(10, at(1)));
  flights.end(first);
  CHECK_FALSE(flights.is_claimed(10, at(1)));
  CHECK(flights.size() == 0);
  CHECK_FALSE(flights.claim(second, ids{10, 11}, at(1), at(31)));
}

TEST_CASE("a lease ends with its deadline and the next turn computes") {
  single_flight flights;
  CHECK_FALSE(flights.claim(first, ids{10, 11}, at(0), at(30)));
  CHECK(flights.claim(second, ids{10}, at(29), at(60)) == 10);
  CHECK(flights.is_claimed(10, at(29)));
  CHECK_FALSE(flights.is_claimed(10, at(30)));
  CHECK_FALSE(flights.claim(second, ids{10}, at(30), at(60)));
  CHECK(flights.claim(third, ids{10}, at(31), at(60)) == 10);
  flights.end(first);  // late: nothing of the second turn's is touched
  CHECK(flights.is_claimed(10, at(31)));
  CHECK(flights.size() == 1);  // 11 fell out with its lease
}

TEST_CASE("a turn that claims again renews its lease and may change its blocks") {
  single_flight flights;
  CHECK_FALSE(flights.claim(first, ids{10, 11}, at(0), at(30)));
  CHECK_FALSE(flights.claim(first, ids{11, 12}, at(20), at(50)));
  CHECK(flights.size() == 2);
  CHECK_FALSE(flights.is_claimed(10, at(21)));
  CHECK(flights.claim(second, ids{11}, at(40), at(70)) == 11);
  CHECK_FALSE(flights.claim(first, ids{}, at(41), at(70)));
  CHECK(flights.size() == 0);
}

TEST_CASE("deeper blocks of another turn stay its own") {
  single_flight flights;
  CHECK_FALSE(flights.claim(first, ids{11, 12}, at(0), at(30)));
  CHECK_FALSE(flights.claim(second, ids{10, 11, 12, 13}, at(0), at(30)));  // 10 was evicted meanwhile
  CHECK(flights.size() == 4);
  flights.end(second);
  CHECK_FALSE(flights.is_claimed(10, at(1)));
  CHECK(flights.is_claimed(11, at(1)));
  CHECK_FALSE(flights.is_claimed(13, at(1)));
}
