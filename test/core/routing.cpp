#include "engine/core/routing.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::core;

namespace {

using candidates = std::vector<route_candidate>;

route_candidate worker(std::uint32_t id) {
  return {.worker = {id}, .free_blocks = 1000, .evictable_blocks = 0, .prefill_tokens_per_s = 1000, .decode_tokens_per_s = 50};
}

std::size_t choose(std::string_view name, const route_question& question, const candidates& from) {
  const auto policy = make_routing_policy(name);
  REQUIRE(policy);
  return policy->choose(question, from);
}

}  // namespace

TEST_CASE("every policy has a name and an unknown name has none") {
  CHECK(routing_policy_names() == std::vector<std::string_view>{"round_robin", "random", "least_loaded", "sticky", "cost"});
  for (const auto name : routing_policy_names()) {
    CHECK(make_routing_policy(name));
    CHECK(choose(name, {.prompt_tokens = 100}, {worker(1)}) == 0);
  }
  CHECK_FALSE(make_routing_policy("best"));
}

TEST_CASE("round robin takes turns and random takes what it is told") {
  const candidates three{worker(1), worker(2), worker(3)};
  const auto policy = make_routing_policy("round_robin");
  std::vector<std::size_t> taken;
  for (int i = 0; i < 5; ++i) taken.push_back(policy->choose({}, three));
  CHECK(taken == std::vector<std::size_t>{0, 1, 2, 0, 1});
  CHECK(choose("random", {.random = 5}, three) == 2);
}

TEST_CASE("least loaded counts turns, then waiting prefill, then prefers the last worker") {
  candidates three{worker(1), worker(2), worker(3)};
  three[0].running = 2;
  three[1].running = 1;
  three[2].waiting = 1;
  three[1].prefill_tokens_waiting = 10;
  CHECK(choose("least_loaded", {}, three) == 2);
  three[2].prefill_tokens_waiting = 10;
  CHECK(choose("least_loaded", {.last_worker = worker_id{3}}, three) == 2);
  CHECK(choose("least_loaded", {.last_worker = worker_id{1}, .parent_worker = worker_id{2}}, three) == 1);
  CHECK(choose("least_loaded", {.random = 4}, three) == 1);
  CHECK(choose("least_loaded", {.random = 7}, three) == 2);
}

TEST_CASE("sticky stays with the session's worker, then its parent's, then the longest prefix") {
  candidates three{worker(1), worker(2), worker(3)};
  three[0].running = 50;
  three[1].matched_blocks = 4;
  CHECK(choose("sticky", {.last_worker = worker_id{1}, .parent_worker = worker_id{3}}, three) == 0);
  CHECK(choose("sticky", {.last_worker = worker_id{9}, .parent_worker = worker_id{3}}, three) == 2);
  CHECK(choose("sticky", {}, three) == 1);
}

TEST_CASE("the cost is a time: queue, prefill of the rest, slowdown, displaced blocks") {
  const route_question question{.prompt_tokens = 1600, .block_tokens = 32};
  route_candidate one = worker(1);
  CHECK(route_cost_s(question, one) == doctest::Approx(1.6));
  one.matched_blocks = 25;
  CHECK(route_cost_s(question, one) == doctest::Approx(0.8));
  one.prefill_tokens_waiting = 500;
  CHECK(route_cost_s(question, one) == doctest::Approx(1.3));
  one.running = 3;
  one.waiting = 1;
  CHECK(route_cost_s(question, one) == doctest::Approx(1.3 + 4 * 2 / 50.0));  // 800 tokens are two chunks
  one.running = one.waiting = 0;
  one.free_blocks = 5;
  one.evictable_blocks = 10;
  CHECK(route_cost_s(question, one) == doctest::Approx(1.3 + (10 * 0.5 + 10 * 2) * 0.032));  // 25 needed: 10 displaced, 10 missing
  one.free_blocks = 1000;
  one.matched_blocks = 50;
  CHECK(route_cost_s(question, one) == doctest::Approx(0.501));  // the last token is always computed
}

TEST_CASE("unmeasured rates count as 1000 and 30 tokens per second") {
  route_candidate one{.worker = {1}, .running = 1, .free_blocks = 100};
  CHECK(route_cost_s({.prompt_tokens = 500}, one) == doctest::Approx(0.5 + 1 / 30.0));
}

TEST_CASE("cost trades a cached prefix against a queue") {
  candidates two{worker(1), worker(2)};
  const route_question question{.prompt_tokens = 3200, .block_tokens = 32};
  two[0].matched_blocks = 90;
  two[0].prefill_tokens_waiting = 2000;
  CHECK(choose("cost", question, two) == 0);
  two[0].prefill_tokens_waiting = 4000;
  CHECK(choose("cost", question, two) == 1);
}

TEST_CASE("within the noise the last worker wins, then the parent's; equals are drawn") {
  candidates three{worker(1), worker(2), worker(3)};
  three[1].prefill_tokens_waiting = 10;  // 10 ms more on 1 s
  route_question question{.prompt_tokens = 1000, .block_tokens = 32, .last_worker = worker_id{2}};
  CHECK(choose("cost", question, three) == 1);
  three[1].prefill_tokens_waiting = 100;
  question.parent_worker = worker_id{3};
  CHECK(choose("cost", question, three) == 2);
  question = {.prompt_tokens = 1000, .random = 3};
  CHECK(choose("cost", question, three) == 2);
  question.random = 2;
  CHECK(choose("cost", question, three) == 0);
}
