// The clock of the running program's actors, on its own thread. Nothing sleeps: each wait is for a message, with a deadline that only a
// defect meets.
#include "gateway/actor_scheduler.hpp"

#include <doctest/doctest.h>

#include <caf/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct scheduled_system {
  troupe::gateway::scheduled_settings settings{2};
  caf::actor_system system{settings};
};

constexpr auto patience = 30s;

/// Kept by an actor: whoever holds the future learns when the actor's memory is given back.
struct life {
  explicit life(std::promise<void> given) : ended(std::move(given)) {}
  life(const life&) = delete;
  life& operator=(const life&) = delete;
  ~life() { ended.set_value(); }
  std::promise<void> ended;
};

}  // namespace

TEST_CASE("delayed messages come in the order of their times, none before its time") {
  scheduled_system world;
  caf::scoped_actor self{world.system};
  const auto begin = std::chrono::steady_clock::now();
  self->delayed_send(self, 40ms, 2);
  self->delayed_send(self, 20ms, 1);
  std::vector<int> heard;
  for (int i = 0; i < 2; ++i) self->receive([&](int number) { heard.push_back(number); }, caf::after(patience) >> [] {});
  CHECK(heard == std::vector<int>{1, 2});
  CHECK(std::chrono::steady_clock::now() - begin >= 40ms);
}

TEST_CASE("a request that nobody answers ends at its time, one that is answered does not") {
  scheduled_system world;
  caf::scoped_actor self{world.system};
  const auto silent = world.system.spawn([](caf::event_based_actor* actor) -> caf::behavior {
    return {[actor](int) { return actor->make_response_promise<int>(); }};
  });
  const auto prompt = world.system.spawn([]() -> caf::behavior { return {[](int number) { return number + 1; }}; });
  int answered = 0, late = 0;
  self->request(silent, 20ms, 1).receive([&](int) { ++answered; }, [&](const caf::error& error) { late += error == caf::sec::request_timeout ? 1 : 0; });
  self->request(prompt, patience, 1).receive([&](int number) { answered += number; }, [&](const caf::error&) { ++late; });
  CHECK(answered == 2);
  CHECK(late == 1);
  caf::anon_send_exit(silent, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(prompt, caf::exit_reason::user_shutdown);
}

TEST_CASE("what an actor was to be told in an hour does not keep its memory when it has ended") {
  scheduled_system world;
  std::promise<void> ended;
  auto gone = ended.get_future();
  {
    auto kept = std::make_shared<life>(std::move(ended));
    const auto actor = world.system.spawn([kept](caf::event_based_actor* self) -> caf::behavior {
      self->delayed_send(self, 1h, 1);
      self->delayed_send(self, 1h, 2);
      return {[self, kept](int) { self->quit(); }};
    });
    kept.reset();
    caf::anon_send(actor, 0);
  }
  CHECK(gone.wait_for(patience) == std::future_status::ready);
}

TEST_CASE("a system ends while messages wait that alone hold their receivers, and gives back their memory") {
  constexpr int receivers = 64;  // so that the schedule is a tree
  std::vector<std::future<void>> gone;
  {
    scheduled_system world;
    for (int i = 0; i < receivers; ++i) {
      std::promise<void> ended;
      gone.push_back(ended.get_future());
      auto kept = std::make_shared<life>(std::move(ended));
      const auto actor = world.system.spawn<caf::hidden>([kept]() -> caf::behavior { return {[kept](int) {}}; });
      for (int n = 0; n < 3; ++n) caf::delayed_anon_send(actor, 1h + n * 1s, n);
    }
  }
  for (const auto& each : gone) CHECK(each.wait_for(0s) == std::future_status::ready);
}

TEST_CASE("a system ends while messages wait for their time") {
  const auto begin = std::chrono::steady_clock::now();
  {
    scheduled_system world;
    caf::anon_send_exit(world.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
      self->delayed_send(self, 1h, 1);
      return {[](int) {}};
    }), caf::exit_reason::user_shutdown);
  }
  CHECK(std::chrono::steady_clock::now() - begin < patience);
}
