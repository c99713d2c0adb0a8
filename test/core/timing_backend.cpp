#include "engine/core/timing_backend.hpp"

#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "test/support/virtual_timer.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

struct fixture {
  fixture() {
    options.rates = {.step_base_s = 0.010, .prefill_token_s = 0.001, .decode_row_s = 0.002, .copied_block_s = 0.5};
    options.tokens = scripted_tokens({100, 101, 102, 103});
  }
  std::unique_ptr<timing_backend> make() {
    return std::make_unique<timing_backend>(options, clock, [this](ticket_id ticket, step_result result) {
      done.emplace_back(ticket.value, clock.now());
      results.push_back(std::move(result));
    });
  }
  /// A prefill of `count` tokens and one decode at position 9, both sampled.
  static step_plan plan(std::uint32_t count) {
    step_plan made;
    made.rows = {{.slot = 0, .token_count = count}, {.slot = 1, .token_count = 1, .position = 9}};
    made.samples.resize(2);
    made.samples[1].row = 1;
    return made;
  }

  virtual_timer clock;
  timing_backend_options options;
  std::vector<std::pair<std::uint64_t, instant>> done;
  std::vector<step_result> results;
};

using ends = std::vector<std::pair<std::uint64_t, instant>>;

}  // namespace

TEST_CASE("a step lasts what the rates say and steps run one after another") {
  fixture f;
  const auto backend = f.make();
  f.clock.advance_to(1s);
  CHECK(backend->submit(fixture::plan(8)) == ticket_id{1});   // 10 + 8 + 2 ms
  CHECK(backend->submit(fixture::plan(18)) == ticket_id{2});  // 10 + 18 + 2 ms, after the first
  CHECK(f.done.empty());
  f.clock.advance_to(1s + 19ms);
  CHECK(f.done.empty());
  f.clock.advance_to(2s);
  CHECK(f.done == ends{{1, 1s + 20ms}, {2, 1s + 50ms}});
  CHECK(f.results[0].seconds == doctest::Approx(0.020));
  CHECK(f.results[1].status == errc::none);
  copy_plan copies;
  copies.blocks = {{0, 1}, {1, 2}};
  CHECK(backend->submit(copies) == ticket_id{3});
  f.clock.advance_to(4s);
  CHECK(f.done.back() == std::pair<std::uint64_t, instant>{3, 3s});
}

TEST_CASE("a scripted token is that of its position") {
  fixture f;
  const auto backend = f.make();
  backend->submit(fixture::plan(7));
  CHECK(f.clock.run_next());
  REQUIRE(f.results[0].sampled.size() == 2);
  CHECK(f.results[0].sampled[0].token == 103);  // position 7
  CHECK(f.results[0].sampled[1].token == 102);  // position 10
}

TEST_CASE("hashed tokens depend on seed and position alone and keep out of the special range") {
  const auto tokens = hashed_tokens(1000, 10), same = hashed_tokens(1000, 10);
  int equal_to_next = 0, equal_to_other_seed = 0;
  for (std::uint64_t position = 0; position < 1000; ++position) {
    CHECK(tokens(1, position) == same(1, position));
    CHECK(tokens(1, position) >= 10);
    CHECK(tokens(1, position) < 1000);
    equal_to_next += tokens(1, position) == tokens(1, position + 1);
    equal_to_other_seed += tokens(1, position) == tokens(2, position);
  }
  CHECK(equal_to_next < 10);
  CHECK(equal_to_other_seed < 10);
  CHECK_THROWS_AS(hashed_tokens(10, 10), std::invalid_argument);
  CHECK_THROWS_AS(scripted_tokens({}), std::invalid_argument);
}

TEST_CASE("log probabilities are reported when they are asked for") {
  fixture f;
  const auto backend = f.make();
  auto plan = fixture::plan(7);
  plan.samples[0].params.logprobs = 2;
  backend->submit(plan);
  f.clock.run_next();
  CHECK(f.results[0].sampled[0].top == std::vector<token_logprob>{{103, 0}});
  CHECK(f.results[0].sampled[1].top.empty());
}

TEST_CASE("a backend that goes away completes what is in flight, once") {
  fixture f;
  auto backend = f.make();
  backend->submit(fixture::plan(1));
  backend->submit(fixture::plan(1));
  backend.reset();
  CHECK(f.done == ends{{1, 0s}, {2, 0s}});
  f.clock.advance_to(10s);
  CHECK(f.done.size() == 2);
}

TEST_CASE("a backend that goes away waits for the completion that another thread is inside of") {
  virtual_timer clock;
  std::promise<void> inside, gone;
  std::vector<std::uint64_t> ended;
  bool was_gone = true;
  auto backend = std::make_unique<timing_backend>(timing_backend_options{}, clock, [&](ticket_id ticket, step_result) {
    if (ticket == ticket_id{1}) {
      inside.set_value();
      was_gone = gone.get_future().wait_for(50ms) == std::future_status::ready;
    }
    ended.push_back(ticket.value);
  });
  backend->submit(fixture::plan(1));
  backend->submit(fixture::plan(1));
  std::thread other([&] { clock.run_next(); });
  inside.get_future().wait();
  backend.reset();
  gone.set_value();
  other.join();
  CHECK_FALSE(was_gone);
  CHECK(ended == std::vector<std::uint64_t>{1, 2});
}
