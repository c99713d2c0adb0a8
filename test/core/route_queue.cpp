#include "engine/core/route_queue.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

const model_id model{"m"};
constexpr std::uint32_t block_tokens = 4;

std::uint64_t symbol_of(std::uint64_t id) { return id * 1000 + 1; }

route_ask ask_for(std::uint64_t id, std::vector<std::uint64_t> blocks, instant deadline = 1h) {
  route_ask ask{.id = {id}, .model = model, .symbols = {}, .ids = blocks, .question = {}, .priority = 0, .deadline = deadline};
  for (auto block : blocks) ask.symbols.push_back(symbol_of(block));
  ask.question.prompt_tokens = static_cast<std::uint32_t>(blocks.size()) * block_tokens + 1;
  return ask;
}

/// The chain `blocks` as a worker announces it.
std::vector<block_event> stored(const std::vector<std::uint64_t>& blocks, std::uint64_t parent = 0) {
  std::vector<block_event> events;
  for (auto block : blocks) {
    events.push_back({block_event::kind::stored, {{block, 0}, symbol_of(block)}, {parent, 0}});
    parent = block;
  }
  return events;
}

route_queue queue_of(route_queue_options options = {}) { return *route_queue::make(std::move(options)); }

/// Joins with an empty snapshot, as a fresh worker does.
void join(route_queue& queue, std::uint32_t worker, instant now = 0s, std::uint64_t epoch = 1) {
  REQUIRE(queue.join({worker}, model, epoch, block_tokens, now));
  REQUIRE(queue.apply({worker}, {epoch, 0, {}, true}, now) == change_outcome::applied);
}

std::vector<std::uint64_t> granted_ids(route_queue& queue) {
  std::vector<std::uint64_t> ids;
  for (const auto& answer : queue.take_answers())
    if (answer.refusal.code == errc::none) ids.push_back(answer.id.value);
  return ids;
}

using id_list = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("an ask is granted at once when its model has a worker") {
  auto queue = queue_of();
  join(queue, 7);
  queue.ask(ask_for(1, {10, 11}), 0s);
  auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == request_id{1});
  CHECK(answers[0].worker == worker_id{7});
  CHECK(answers[0].matched_blocks == 0);
  CHECK_FALSE(answers[0].waited);
  CHECK(answers[0].refusal.code == errc::none);
}

TEST_CASE("of four turns with one prefix one computes, and three wait for its blocks and go on with their own") {
  auto queue = queue_of();
  join(queue, 1);
  for (std::uint64_t id = 1; id <= 4; ++id) queue.ask(ask_for(id, {10, 11, 12, 100 + id}), 0s);
  CHECK(granted_ids(queue) == id_list{1});
  CHECK(queue.waiting() == 3);
  const auto prefix = stored({10, 11});
  queue.apply({1}, {1, 0, prefix}, 1s);
  CHECK(granted_ids(queue).empty());  // block 12 is still being computed
  const auto last = stored({12}, 11);
  queue.apply({1}, {1, 2, last}, 2s);
  const auto answers = queue.take_answers();
  REQUIRE(answers.size() == 3);
  for (std::size_t each = 0; each < 3; ++each) {
    CHECK(answers[each].id == request_id{each + 2});
    CHECK(answers[each].matched_blocks == 3);
    CHECK(answers[each].waited);
  }
  CHECK(queue.waiting() == 0);
}

TEST_CASE("a turn whose whole chain is held claims nothing, so nobody waits for it") {
  auto queue = queue_of();
  join(queue, 1);
  const auto events = stored({10, 11});
  queue.apply({1}, {1, 0, events}, 0s);
  for (std::uint64_t id = 1; id <= 3; ++id) queue.ask(ask_for(id, {10, 11}), 0s);
  CHECK(granted_ids(queue) == id_list{1, 2, 3});
  CHECK_FALSE(queue.needs_tick());
}

TEST_CASE("when a lease expires the next waiter computes and the others wait for it") {
  auto queue = queue_of({.policy = "cost", .seed = 1, .waiting_max = 10, .lease = 30s});
  join(queue, 1);
  for (std::uint64_t id = 1; id <= 3; ++id) queue.ask(ask_for(id, {10, 11}), 0s);
  CHECK(granted_ids(queue) == id_list{1});
  queue.tick(30s - 1ns);
  CHECK(queue.take_answers().empty());
  queue.tick(30s);
  CHECK(granted_ids(queue) == id_list{2});
  CHECK(queue.waiting() == 1);
  queue.tick(60s);
  CHECK(granted_ids(queue) == id_list{3});
  queue.tick(90s);
  CHECK_FALSE(queue.needs_tick());
}

TEST_CASE("a turn that ends gives its lease to the next one, and its place away when it waits") {
  auto queue = queue_of();
  join(queue, 1);
  for (std::uint64_t id = 1; id <= 3; ++id) queue.ask(ask_for(id, {10}), 0s);
  queue.end({2}, 1s);
  CHECK(granted_ids(queue) == id_list{1});
  queue.end({1}, 2s);
  CHECK(granted_ids(queue) == id_list{3});
  queue.end({3}, 3s);
  CHECK(queue.take_answers().empty());
  CHECK_FALSE(queue.needs_tick());
}

TEST_CASE("the death of a worker forgets its blocks, ends the leases of its turns and wakes who waits for them") {
  auto queue = queue_of();
  join(queue, 1);
  const auto events = stored({10});
  queue.apply({1}, {1, 0, events}, 0s);
  queue.ask(ask_for(1, {10, 11}), 0s);
  queue.ask(ask_for(2, {10, 11}), 0s);
  CHECK(granted_ids(queue) == id_list{1});
  join(queue, 2);
  queue.leave({1}, 1s);
  const auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == request_id{2});
  CHECK(answers[0].worker == worker_id{2});
  CHECK(answers[0].matched_blocks == 0);
}

TEST_CASE("turns wait for a worker until their deadline; the answer says whether there was ever one") {
  auto queue = queue_of();
  queue.ask(ask_for(1, {10}, 5s), 0s);
  queue.tick(5s - 1ns);
  CHECK(queue.take_answers().empty());
  queue.tick(5s);
  auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].refusal.code == errc::not_ready);

  join(queue, 1, 6s);
  queue.leave({1}, 7s);
  queue.ask(ask_for(2, {10}, 10s), 8s);
  queue.tick(10s);
  answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].refusal.code == errc::worker_lost);
  CHECK_FALSE(queue.needs_tick());
}

TEST_CASE("a turn whose deadline passes while another computes its prefix is told so") {
  auto queue = queue_of();
  join(queue, 1);
  queue.ask(ask_for(1, {10}), 0s);
  queue.ask(ask_for(2, {10}, 3s), 0s);
  CHECK(granted_ids(queue) == id_list{1});
  queue.tick(3s);
  const auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == request_id{2});
  CHECK(answers[0].refusal.code == errc::deadline_exceeded);
}

TEST_CASE("the queue is bounded, and what does not wait needs no place in it") {
  auto queue = queue_of({.policy = "cost", .seed = 1, .waiting_max = 2, .lease = 30s});
  for (std::uint64_t id = 1; id <= 3; ++id) queue.ask(ask_for(id, {id}), 0s);
  auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == request_id{3});
  CHECK(answers[0].refusal.code == errc::queue_full);
  join(queue, 1);
  CHECK(granted_ids(queue) == id_list{1, 2});
  queue.ask(ask_for(4, {4}), 0s);
  CHECK(granted_ids(queue) == id_list{4});
}

TEST_CASE("who waits is looked at by priority, then in order of arrival") {
  auto queue = queue_of();
  const std::int32_t priorities[] = {0, 5, 0, -3, 5};
  for (std::uint64_t id = 0; id < 5; ++id) {
    auto ask = ask_for(id, {10 + id});
    ask.priority = priorities[id];
    queue.ask(std::move(ask), 0s);
  }
  join(queue, 1);
  CHECK(granted_ids(queue) == id_list{1, 4, 0, 2, 3});
}

TEST_CASE("a second ask with one id replaces the first: its place when it waits, its lease when it was granted") {
  auto queue = queue_of();
  queue.ask(ask_for(1, {10}), 0s);
  queue.ask(ask_for(1, {20}), 0s);
  CHECK(queue.waiting() == 1);
  join(queue, 1);
  CHECK(granted_ids(queue) == id_list{1});
  queue.ask(ask_for(2, {10}), 0s);
  CHECK(granted_ids(queue) == id_list{2});  // the first ask left no lease
  queue.ask(ask_for(3, {20}), 0s);
  CHECK(granted_ids(queue).empty());
  queue.ask(ask_for(1, {30}), 0s);  // and the second one's ends here
  CHECK(granted_ids(queue) == id_list{1, 3});
}

TEST_CASE("an older epoch neither joins nor speaks, a newer one replaces what was known") {
  auto queue = queue_of();
  join(queue, 1, 0s, 5);
  const auto events = stored({10});
  CHECK(queue.apply({1}, {5, 0, events}, 0s) == change_outcome::applied);
  CHECK_FALSE(queue.join({1}, model, 5, block_tokens, 0s));
  CHECK_FALSE(queue.join({1}, model, 4, block_tokens, 0s));
  const auto more = stored({11}, 10);
  CHECK(queue.apply({1}, {4, 1, more}, 0s) == change_outcome::ignored);
  CHECK(queue.apply({9}, {5, 1, more}, 0s) == change_outcome::ignored);
  queue.ask(ask_for(1, {10, 11}), 0s);
  CHECK(queue.take_answers()[0].matched_blocks == 1);
  join(queue, 1, 0s, 6);
  queue.ask(ask_for(2, {10, 11}), 0s);
  CHECK(queue.take_answers()[0].matched_blocks == 0);
}

TEST_CASE("a gap asks for a snapshot once per second until one comes, and repeats are ignored") {
  auto queue = queue_of();
  join(queue, 1);
  const auto first = stored({10, 11});
  CHECK(queue.apply({1}, {1, 0, first}, 1s) == change_outcome::applied);
  CHECK(queue.apply({1}, {1, 0, first}, 1s) == change_outcome::ignored);
  const auto overlap = stored({11, 12}, 10);
  CHECK(queue.apply({1}, {1, 1, overlap}, 1s) == change_outcome::applied);
  const auto late = stored({20});
  CHECK(queue.apply({1}, {1, 5, late}, 2s) == change_outcome::gap);
  CHECK(queue.apply({1}, {1, 6, late}, 2999ms) == change_outcome::ignored);
  CHECK(queue.apply({1}, {1, 7, late}, 3s) == change_outcome::gap);
  const auto all = stored({10, 20});
  CHECK(queue.apply({1}, {1, 8, all, true}, 3s) == change_outcome::applied);
  queue.ask(ask_for(1, {10, 11, 12}), 3s);
  CHECK(queue.take_answers()[0].matched_blocks == 1);
  queue.ask(ask_for(2, {10, 20, 30}), 3s);
  CHECK(queue.take_answers()[0].matched_blocks == 2);
  const auto next = stored({30}, 20);
  CHECK(queue.apply({1}, {1, 8, next}, 3s) == change_outcome::applied);
}

TEST_CASE("events before the first snapshot are a gap") {
  auto queue = queue_of();
  REQUIRE(queue.join({1}, model, 1, block_tokens, 0s));
  const auto events = stored({10});
  CHECK(queue.apply({1}, {1, 0, events}, 1s) == change_outcome::gap);
}

TEST_CASE("removed blocks no longer match") {
  auto queue = queue_of();
  join(queue, 1);
  auto events = stored({10, 11});
  events.push_back({block_event::kind::removed, {{11, 0}, symbol_of(11)}, {}});
  queue.apply({1}, {1, 0, events}, 0s);
  queue.ask(ask_for(1, {10, 11}), 0s);
  CHECK(queue.take_answers()[0].matched_blocks == 1);
}

TEST_CASE("grants count as load until the next report, so that a burst is spread") {
  auto queue = queue_of({.policy = "least_loaded", .seed = 1, .waiting_max = 10, .lease = 30s});
  join(queue, 1);
  join(queue, 2);
  std::map<std::uint32_t, int> taken;
  for (std::uint64_t id = 1; id <= 6; ++id) queue.ask(ask_for(id, {id}), 0s);
  for (const auto& answer : queue.take_answers()) ++taken[answer.worker.value];
  CHECK(taken == std::map<std::uint32_t, int>{{1, 3}, {2, 3}});
  queue.report({1}, 1, {.running = 3, .waiting = 0});
  queue.report({2}, 0, {.running = 0, .waiting = 0});  // of another epoch
  queue.report({2}, 1, {.running = 0, .waiting = 0});
  for (std::uint64_t id = 11; id <= 12; ++id) queue.ask(ask_for(id, {id}), 0s);
  for (const auto& answer : queue.take_answers()) CHECK(answer.worker == worker_id{2});
}

TEST_CASE("models are apart: neither workers nor blocks nor leases of one serve another") {
  auto queue = queue_of();
  join(queue, 1);
  queue.ask(ask_for(1, {10}), 0s);
  auto other = ask_for(2, {10});
  other.model = {"other"};
  queue.ask(other, 0s);
  CHECK(granted_ids(queue) == id_list{1});
  CHECK(queue.join({2}, {"other"}, 1, block_tokens, 0s));
  const auto answers = queue.take_answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].worker == worker_id{2});
  CHECK_FALSE(answers[0].waited);
}

TEST_CASE("an unknown policy is refused with the names of the known ones") {
  auto made = route_queue::make({.policy = "best", .seed = 1, .waiting_max = 1, .lease = 1s});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == errc::invalid_request);
  CHECK(made.error().message == "unknown routing policy 'best'; known are round_robin, random, least_loaded, sticky, cost");
}

TEST_CASE("whatever happens, every ask is answered exactly once and nothing is left behind") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    auto queue = queue_of({.policy = "random", .seed = seed, .waiting_max = 8, .lease = 3s});
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> workers;  // epoch, next event
    std::set<std::uint64_t> open;
    std::uint64_t next_id = 0, next_epoch = 0;
    instant now{0};
    auto settle = [&] {
      for (const auto& answer : queue.take_answers()) {
        REQUIRE(open.erase(answer.id.value) == 1);
        if (answer.refusal.code == errc::none) REQUIRE(workers.contains(answer.worker.value));
      }
      REQUIRE(queue.waiting() == open.size());
      REQUIRE(queue.waiting() <= 8);
    };
    for (int turn = 0; turn < 400; ++turn) {
      const auto worker = static_cast<std::uint32_t>(random() % 3);
      switch (random() % 8) {
        case 0:
          workers[worker] = {++next_epoch, 0};
          join(queue, worker, now, next_epoch);
          break;
        case 1:
          workers.erase(worker);
          queue.leave({worker}, now);
          break;
        case 2:
          if (auto known = workers.find(worker); known != workers.end()) {
            const auto events = stored({random() % 6});
            queue.apply({worker}, {known->second.first, known->second.second++, events}, now);
          }
          break;
        case 3: {
          const auto id = next_id == 0 ? 0 : random() % next_id;
          open.erase(id);
          queue.end({id}, now);
          break;
        }
        case 4:
          now += 500ms;
          queue.tick(now);
          break;
        default:
          open.insert(next_id);
          queue.ask(ask_for(next_id++, {random() % 6, 10 + random() % 3}, now + 5s), now);
      }
      settle();
    }
    now += 1min;
    queue.tick(now);
    queue.tick(now + 1min);
    settle();
    CHECK(open.empty());
    CHECK_FALSE(queue.needs_tick());
  }
}
