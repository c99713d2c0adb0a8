// When recorded requests are due against a server that takes its own time; and what their prompts are.
#include "engine/core/replay/closed_loop.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "engine/core/replay/prompt_tokens.hpp"
#include "engine/core/replay/trace_reader.hpp"

using namespace troupe;
using namespace troupe::core::replay;

namespace {

using numbers = std::vector<std::uint32_t>;

recorded_trace read(const std::vector<std::string>& sessions) {
  trace_reader reader(trace_format::sessions);
  for (const auto& text : sessions) REQUIRE_FALSE(reader.add("session", text));
  auto trace = reader.finish();
  REQUIRE(trace);
  return std::move(*trace);
}

/// At `t`, answered `api_time` later; `more` holds further keys.
std::string request(double t, double api_time, const std::string& ids, const std::string& more = {}) {
  return R"({"type":"n","t":)" + std::to_string(t) + R"(,"api_time":)" + std::to_string(api_time) + R"(,"in":9,"out":3,"hash_ids":[)" +
         ids + "]" + more + "}";
}
std::string session(const std::string& requests) { return R"({"id":"s","block_size":4,"requests":[)" + requests + "]}"; }
std::string subagent(double t, const std::string& requests) {
  return R"({"type":"subagent","t":)" + std::to_string(t) + R"(,"requests":[)" + requests + "]}";
}

const std::string tool_result = R"(,"input_types":["tool_result"])";
const std::string person = R"(,"input_types":["text"])";
const std::string tool_use = R"(,"stop":"tool_use")";

closed_loop loop_of(const recorded_trace& trace, const loop_options& options = {}) {
  auto made = closed_loop::make(trace, options);
  REQUIRE(made);
  return std::move(*made);
}

/// "1,2,...,last"
std::string ids_to(int last) {
  std::string text = "1";
  for (int id = 2; id <= last; ++id) text.append(",").append(std::to_string(id));
  return text;
}

constexpr std::size_t much = 100;

}  // namespace

TEST_CASE("pauses may be longer than they were recorded") {
  const auto trace = read({session(request(0, 2, "1,2", tool_use) + "," + request(5, 1, "1,2,3", tool_result))});
  auto loop = loop_of(trace, {.pause_scale = 4});
  CHECK(loop.take_due(0, much) == numbers{0});
  loop.answered(0, 10);
  CHECK(loop.next_due_s() == 22);
}

TEST_CASE("a request is due the recorded pause after the answer before it, however long that took") {
  const auto trace =
      read({session(request(0, 2, "1,2", tool_use) + "," + request(5, 1, "1,2,3", tool_result) + "," + request(6, 1, "1", person))});
  auto loop = loop_of(trace);
  CHECK(loop.next_due_s() == 0.0);
  CHECK(loop.take_due(0, much) == numbers{0});
  CHECK(loop.next_due_s() == std::nullopt);
  CHECK(loop.answered(0, 20) == numbers{});
  CHECK(loop.next_due_s() == 23.0);
  CHECK(loop.take_due(22.9, much) == numbers{});
  CHECK(loop.take_due(23, much) == numbers{1});
  loop.answered(1, 30);
  CHECK(loop.next_due_s() == 30.0);  // recorded as begun when the answer before ended
  CHECK(loop.take_due(30, much) == numbers{2});
  CHECK_FALSE(loop.is_done());
  CHECK(loop.answered(2, 31) == numbers{0});
  CHECK(loop.is_done());
  const auto& all = loop.requests();
  CHECK(all[0].cause == turn_cause::first);
  CHECK(all[1].cause == turn_cause::tool);
  CHECK(all[2].cause == turn_cause::person);
  CHECK(all[0].pause_s == 3);
  CHECK(all[1].pause_s == -1);
}

TEST_CASE("a pause is cut at 900 seconds, and one that the recording has below zero is none") {
  const auto trace = read({session(request(0, 2, "1") + "," + request(5000, 10, "1") + "," + request(5001, 1, "1"))});
  const auto loop = loop_of(trace);
  CHECK(loop.requests()[1].gap_s == 900);
  CHECK(loop.requests()[2].gap_s == 0);
}

TEST_CASE("a subagent begins after the answer that its parent had last asked for, and ends before its parent") {
  const auto inner = request(0, 1, "7") + "," + request(3, 1, "7,8", tool_result);
  const auto trace = read({session(request(0, 2, "1") + "," + subagent(4, inner) + "," + request(20, 1, "1,2", tool_result))});
  auto loop = loop_of(trace);
  REQUIRE(loop.agents().size() == 2);
  CHECK(loop.agents()[0].parent == 0);
  CHECK(loop.agents()[1].parent == 0);
  CHECK(loop.agents()[1].team == 1);
  CHECK(loop.requests()[1].agent == 1);
  CHECK(loop.requests()[1].cause == turn_cause::first);
  CHECK(loop.take_due(0, much) == numbers{0});
  loop.answered(0, 10);
  CHECK(loop.next_due_s() == 12.0);
  CHECK(loop.take_due(12, much) == numbers{1});
  CHECK(loop.next_due_s() == 28.0);  // the lead's next turn waits for its own answer alone
  CHECK(loop.take_due(28, much) == numbers{3});
  CHECK(loop.answered(3, 29) == numbers{});  // the lead's last answer, but its subagent lives
  loop.answered(1, 30);
  CHECK(loop.take_due(32, much) == numbers{2});
  CHECK(loop.answered(2, 33) == numbers{1, 0});
}

TEST_CASE("a subagent's subagent hangs on it, and a session may begin with a subagent") {
  const auto deepest = subagent(1, request(0, 1, "9"));
  const auto trace = read({session(subagent(2, request(0, 1, "7") + "," + deepest) + "," + request(5, 1, "1"))});
  auto loop = loop_of(trace);
  REQUIRE(loop.agents().size() == 3);
  CHECK(loop.agents()[2].parent == 1);
  CHECK(loop.take_due(3, much) == numbers{0, 2});  // the session's first request is at 2, the lead's own at 5
  loop.answered(0, 10);
  CHECK(loop.take_due(10, much) == numbers{1});
  CHECK(loop.answered(2, 11) == numbers{});
  CHECK(loop.answered(1, 12) == numbers{2, 1, 0});
}

TEST_CASE("slots begin one after the other, and a session takes the slot of one that has been answered whole") {
  const auto two = session(request(0, 1, "1") + "," + request(2, 1, "1,2"));
  const auto trace = read({two, two, two, session(request(0, 1, "1"))});  // the last has one request: no slot takes it
  auto loop = loop_of(trace, {.slots = 2, .seed = 1, .slot_wait_s = 10});
  CHECK(loop.sessions() == 3);
  CHECK(loop.take_due(5, much) == numbers{0});
  CHECK(loop.take_due(10, much) == numbers{2});
  loop.answered(0, 11);
  CHECK(loop.take_due(12, much) == numbers{1});
  loop.answered(1, 13);
  CHECK(loop.next_due_s() == 23.0);
  CHECK(loop.take_due(23, much) == numbers{4});
}

TEST_CASE("the recorded scenario begins every session at its time, and no more starts than there is room for") {
  const auto one = session(request(7, 1, "1"));
  const auto trace = read({one, one, one});
  auto loop = loop_of(trace);
  CHECK(loop.take_due(0, 2) == numbers{0, 1});
  CHECK(loop.take_due(0, 2) == numbers{2});
}

TEST_CASE("a trace without sessions has no slots") {
  trace_reader reader(trace_format::mooncake);
  REQUIRE_FALSE(reader.add("rows", R"({"timestamp":0,"input_length":600,"output_length":1,"hash_ids":[1,2]})"));
  const auto trace = reader.finish();
  REQUIRE(trace);
  const auto made = closed_loop::make(*trace, {.slots = 2});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == errc::invalid_request);
}

TEST_CASE("equal blocks have equal tokens, different ones differ, and what is beyond the last block is one request's alone") {
  const auto trace = read({session(request(0, 1, ids_to(300)) + "," + request(1, 1, "1,2")), session(request(0, 1, "1,2"))});
  const auto prompts = prompt_tokens::make(trace, 20);
  REQUIRE(prompts);
  std::vector<token_id> long_one, short_one, again, other;
  const auto& first = trace.sessions[0].requests;
  prompts->write(first[0], 0, long_one);
  prompts->write(first[1], 1, short_one);
  prompts->write(first[1], 2, again);
  prompts->write(trace.sessions[1].requests[0], 3, other);
  CHECK(long_one.size() == 1200);  // the 9 tokens it claims contradict its blocks
  CHECK(short_one.size() == 9);
  CHECK(std::equal(short_one.begin(), short_one.begin() + 8, long_one.begin()));
  CHECK(std::equal(short_one.begin(), short_one.begin() + 8, again.begin()));
  CHECK(short_one[8] != again[8]);
  CHECK_FALSE(std::equal(short_one.begin(), short_one.begin() + 4, other.begin()));
  std::set<std::vector<token_id>> blocks;
  for (auto at = long_one.begin(); at != long_one.end(); at += 4) blocks.emplace(at, at + 4);
  CHECK(blocks.size() == 300);
  CHECK(*std::max_element(long_one.begin(), long_one.end()) < 20);
}

TEST_CASE("a vocabulary that cannot name every block is refused") {
  const auto trace = read({session(request(0, 1, ids_to(20)))});
  CHECK_FALSE(prompt_tokens::make(trace, 2));
  CHECK(prompt_tokens::make(trace, 3));
}
