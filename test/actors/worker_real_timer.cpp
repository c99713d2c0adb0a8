// The one piece here with a thread of its own. Nothing sleeps: each wait is for an action, with a deadline that only a defect meets.
#include <doctest/doctest.h>

#include <atomic>
#include <future>

#include "actors/real_timer.hpp"

using namespace troupe::actors;
using namespace std::chrono_literals;

TEST_CASE("a timer runs actions in the order of their times, none before its time") {
  real_timer timer;
  std::promise<void> all;
  std::vector<int> order;
  const auto start = timer.now();
  troupe::core::instant last{0};
  timer.call_at(start + 20ms, [&] {
    order.push_back(2);
    last = timer.now();
    all.set_value();
  });
  timer.call_at(start + 10ms, [&] { order.push_back(1); });
  timer.call_at(start - 1s, [&] { order.push_back(0); });
  REQUIRE(all.get_future().wait_for(30s) == std::future_status::ready);
  CHECK(order == std::vector<int>{0, 1, 2});
  CHECK(last - start >= 20ms);
}

TEST_CASE("ending a timer runs what waits, in order, and then joins") {
  std::vector<int> order;
  {
    real_timer timer;
    timer.call_at(timer.now() + 10h, [&] { order.push_back(2); });
    timer.call_at(timer.now() + 9h, [&] { order.push_back(1); });
  }
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("a full timer runs the earliest action before its time") {
  real_timer timer{2};
  std::promise<int> early;
  for (int each = 0; each < 3; ++each)
    timer.call_at(timer.now() + std::chrono::hours{each + 1}, [&early, each] {
      if (each == 0) early.set_value(each);
    });
  auto first = early.get_future();
  REQUIRE(first.wait_for(30s) == std::future_status::ready);
  CHECK(first.get() == 0);
}
