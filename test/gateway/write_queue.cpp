#include "gateway/write_queue.hpp"

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <vector>

using troupe::gateway::write_queue;

TEST_CASE("a queue that is full leaves a task with its owner, and all that it took is written in order before it ends") {
  std::vector<int> written;
  std::promise<void> begun, open;
  auto opened = open.get_future().share();
  {
    write_queue<std::unique_ptr<int>> queue(2, [&](const std::unique_ptr<int>& next) {
      if (written.empty()) begun.set_value();
      opened.wait();
      written.push_back(*next);
    });
    CHECK(queue.offer(std::make_unique<int>(1)));
    begun.get_future().wait();  // it waits no more
    CHECK(queue.offer(std::make_unique<int>(2)));
    CHECK(queue.offer(std::make_unique<int>(3)));
    auto late = std::make_unique<int>(4);
    CHECK_FALSE(queue.offer(std::move(late)));
    REQUIRE(late != nullptr);
    CHECK(*late == 4);
    queue.add(std::move(late));
    open.set_value();
  }
  CHECK(written == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("what a task holds is let go of where another may be handed in") {
  std::vector<int> written;
  std::promise<void> both;
  write_queue<std::shared_ptr<int>> queue(1, [&](const std::shared_ptr<int>& next) {
    written.push_back(*next);
    if (written.size() == 2) both.set_value();
  });
  const auto hand_in_another = [&queue](const int* gone) {
    delete gone;
    queue.add(std::make_shared<int>(2));
  };
  CHECK(queue.offer(std::shared_ptr<int>(new int(1), hand_in_another)));
  both.get_future().wait();
  CHECK(written == std::vector<int>{1, 2});
}
