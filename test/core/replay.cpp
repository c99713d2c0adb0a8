// The lab on traces small enough to check by hand, and its fast players against slow ones on random traces.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <set>
#include <unordered_map>

#include "engine/core/replay/future.hpp"
#include "engine/core/replay/player.hpp"
#include "engine/core/replay/trace_reader.hpp"
#include "engine/core/retention/pause_model.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace troupe::core::replay;

namespace {

recorded_trace read(trace_format format, const std::vector<std::string>& documents) {
  trace_reader reader(format);
  for (const auto& text : documents) {
    const auto problem = reader.add("document", text);
    REQUIRE_MESSAGE(!problem, (problem ? problem->message : ""));
  }
  auto trace = reader.finish();
  REQUIRE_MESSAGE(trace, (trace ? "" : trace.error().message));
  return std::move(*trace);
}

std::string refusal(trace_format format, const std::string& text) {
  trace_reader reader(format);
  if (const auto problem = reader.add("file", text)) return problem->message;
  const auto trace = reader.finish();
  return trace ? "" : trace.error().message;
}

/// Sessions whose requests grow, sometimes start anew, and sometimes drop their end.
std::vector<std::string> random_sessions(std::uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<std::string> documents;
  for (int session = 0; session < 12; ++session) {
    std::vector<int> ids;
    int fresh = 0;
    double t = 0;
    std::string requests;
    for (int request = 0; request < 12; ++request) {
      if (rng() % 8 == 0) ids.resize(ids.size() / 3);
      for (std::uint32_t more = rng() % 9; more > 0; --more) ids.push_back(++fresh);
      t += static_cast<double>(rng() % 400) / 10;
      if (request > 0) requests += ",";
      requests += R"({"t":)" + std::to_string(t) + R"(,"type":"n","in":64,"out":9,"input_types":[")" +
                  (rng() % 2 ? "tool_result" : "text") + R"("],"output_types":["tool_use"],"stop":"tool_use","api_time":2,"hash_ids":[)";
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (i > 0) requests += ",";
        requests += std::to_string(ids[i]);
      }
      requests += "]}";
    }
    documents.push_back(R"({"id":"s)" + std::to_string(session) + R"(","block_size":64,"requests":[)" + requests + "]}");
  }
  return documents;
}

/// The scenario's rule for lru, written down as it is said.
std::uint64_t naive_lru_hits(const recorded_trace& trace, const scenario& played, std::size_t capacity) {
  std::list<block_index> order;
  std::unordered_map<block_index, std::list<block_index>::iterator> at;
  std::vector<block_index> path;
  std::uint64_t hits = 0;
  for (const auto& request : played.requests) {
    trace.blocks.path(request.asked.last, request.asked.blocks, path);
    std::size_t hit = 0;
    while (hit < path.size() && at.contains(path[hit])) ++hit;
    hits += hit;
    for (auto i = path.size(); i-- > 0;) {
      if (at.contains(path[i])) order.erase(at[path[i]]);
      at[path[i]] = order.insert(order.end(), path[i]);
      if (order.size() <= capacity) continue;
      at.erase(order.front());
      order.pop_front();
    }
  }
  return hits;
}

/// Belady's rule likewise: farthest next request first, in it the deepest block first, bypass allowed.
std::uint64_t naive_belady_hits(const recorded_trace& trace, const scenario& played, std::size_t capacity) {
  std::set<block_index> kept;
  std::vector<block_index> path, other;
  std::uint64_t hits = 0;
  for (std::size_t now = 0; now < played.requests.size(); ++now) {
    trace.blocks.path(played.requests[now].asked.last, played.requests[now].asked.blocks, path);
    std::size_t hit = 0;
    while (hit < path.size() && kept.contains(path[hit])) ++hit;
    hits += hit;
    kept.insert(path.begin(), path.end());
    std::vector<std::tuple<std::size_t, std::size_t, block_index>> uses;
    std::set<block_index> left = kept;
    for (std::size_t next = now + 1; next < played.requests.size() && !left.empty(); ++next) {
      trace.blocks.path(played.requests[next].asked.last, played.requests[next].asked.blocks, other);
      for (std::size_t depth = 0; depth < other.size(); ++depth)
        if (left.erase(other[depth])) uses.emplace_back(next, depth, other[depth]);
    }
    std::sort(uses.begin(), uses.end());
    kept.clear();
    for (std::size_t i = 0; i < std::min(uses.size(), capacity); ++i) kept.insert(std::get<2>(uses[i]));
  }
  return hits;
}

row_figures play_row(const recorded_trace& trace, const scenario& played, row_options options) {
  const auto future = future_uses(trace, played);
  auto row = play({trace, played, future, {}}, options);
  REQUIRE_MESSAGE(row, (row ? "" : row.error().message));
  return std::move(*row);
}

}  // namespace

TEST_CASE("a session file becomes requests in the order of time, a subagent's among them") {
  const auto trace = read(trace_format::sessions, {R"({"id":"a","block_size":64,"requests":[
    {"t":0,"type":"n","in":130,"out":7,"hash_ids":[1,2],"input_types":["text"],"output_types":["tool_use"],"stop":"tool_use","api_time":3},
    {"t":10,"type":"subagent","agent_id":"x","requests":[{"t":5,"type":"n","in":64,"out":1,"hash_ids":[9],"input_types":["text"],"output_types":[],"stop":""}]},
    {"t":12,"type":"s","in":200,"out":8,"hash_ids":[1,2,3],"input_types":["tool_result"],"output_types":["text"],"stop":"end_turn"}]})"});
  REQUIRE(trace.sessions.size() == 1);
  const auto& requests = trace.sessions[0].requests;
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].at_s == 12);
  CHECK(requests[2].at_s == 15);
  CHECK(requests[2].blocks == 1);
  CHECK(requests[1].input == input_kind::tool_result);
  CHECK(requests[1].end == answer_end::stop);
  CHECK(requests[0].service_s == 3);
  CHECK(trace.blocks.size() == 4);
  CHECK(trace.blocks.parent(requests[1].last) == requests[0].last);
  CHECK(trace.block_tokens == 64);
}

TEST_CASE("equal ids of two session files are different blocks") {
  const std::string one = R"({"id":"a","block_size":64,"requests":[{"t":0,"type":"n","hash_ids":[1,2]}]})";
  CHECK(read(trace_format::sessions, {one, one}).blocks.size() == 4);
}

TEST_CASE("an agentic row starts when what it waits for is complete") {
  const auto trace =
      read(trace_format::agentic,
           {R"({"request_id":"a:0","session_id":"a","input_length":64,"output_length":1,"hash_ids":[1],"wait_for":[],"timestamp":1000}
{"request_id":"a:1","session_id":"a","input_length":128,"output_length":1,"hash_ids":[1,2],"wait_for":["a:0"],"tool_wait_ms":2500}
{"request_id":"b:0","session_id":"b","input_length":128,"output_length":1,"hash_ids":[1,3],"wait_for":["a:0","a:1"],"delay":1000})"});
  REQUIRE(trace.sessions.size() == 2);
  CHECK(trace.sessions[0].requests[1].at_s == 7.5);
  CHECK(trace.sessions[0].requests[1].input == input_kind::tool_result);
  CHECK(trace.sessions[1].begin_s == 7.5 + 5 + 1);
  CHECK(trace.blocks.size() == 3);
}

TEST_CASE("our own traces become growing chains, and a shorter prompt starts anew") {
  const auto trace = read(
      trace_format::trace,
      {R"({"type":"turn","at_ms":10000,"session":"s","prompt_tokens":70,"output_tokens":5,"total_s":2,"how":"tool_calls","tools":["bash"]}
{"type":"lifecycle","at_ms":11000,"session":"s","verb":"tool_pause"}
{"type":"turn","at_ms":20000,"session":"s","prompt_tokens":100,"output_tokens":5,"total_s":1,"how":"stop"}
{"type":"turn","at_ms":30000,"session":"s","prompt_tokens":64,"output_tokens":5,"total_s":1,"how":"stop"})"});
  const auto& requests = trace.sessions.at(0).requests;
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].at_s == 11);
  CHECK(requests[1].input == input_kind::tool_result);
  CHECK(requests[0].tool == tool_of({"bash"}));
  CHECK(requests[1].tool == 0);
  CHECK(trace.blocks.size() == 3 + 2);
}

TEST_CASE("bad input is refused with file and line") {
  CHECK(refusal(trace_format::mooncake, "{\"timestamp\": 0, \"hash_ids\": [1]}\n{\"timestamp\": 1, \"hash_ids\": [1,}")
            .starts_with("file:2: not JSON"));
  CHECK(refusal(trace_format::mooncake, "\n{\"hash_ids\": [1]}") == "file:2: a row needs its \"timestamp\"");
  CHECK(refusal(trace_format::mooncake, "{\"timestamp\": 1, \"hash_ids\": [-1]}") ==
        "file:1: a block id must be a whole number, not negative");
  CHECK(refusal(trace_format::sessions, "{\"requests\": [\n{\"hash_ids\": [1]}\n]}") == "file:2: a request needs its time, \"t\"");
  CHECK(refusal(trace_format::sessions, "{\"requests\": [").starts_with("file:1: not JSON"));
  CHECK(refusal(trace_format::sessions, "[]") == "the trace holds no request");
  CHECK(refusal(trace_format::trace, "{\"type\":\"turn\"}").starts_with("file:1: "));
  CHECK(refusal(
            trace_format::trace,
            R"({"type":"turn","at_ms":1,"session":"s","prompt_tokens":70,"output_tokens":5,"total_s":2,"how":"tool_calls","tools":"bash"})")
            .starts_with("file:1: "));
  CHECK(refusal(trace_format::agentic, R"({"request_id":"a","session_id":"s","hash_ids":[],"wait_for":["b"]})") ==
        "file:1: waits for \"b\", which is not in the trace");
  CHECK(refusal(trace_format::agentic, R"({"request_id":"a","session_id":"s","hash_ids":[],"wait_for":["a"]})") ==
        "file:1: waits for itself");
}

TEST_CASE("no cut of a good document crashes its parser") {
  const std::string session = random_sessions(1)[0];
  for (std::size_t size = 0; size < session.size(); size += 7) {
    trace_reader reader(trace_format::sessions);
    CHECK(reader.add("cut", std::string_view(session).substr(0, size)));
    guess_trace_format(std::string_view(session).substr(0, size));
  }
  CHECK(guess_trace_format(session) == trace_format::sessions);
}

TEST_CASE("closed slots take sessions in turn and cap long gaps") {
  const std::string slow =
      R"({"id":"a","block_size":64,"requests":[{"t":0,"type":"n","hash_ids":[1],"api_time":4},{"t":5000,"type":"n","hash_ids":[1]}]})";
  const auto trace = read(trace_format::sessions, {slow, slow, slow});
  const auto played = make_scenario(trace, {.slots = 2, .seed = 1});
  REQUIRE(played);
  std::vector<double> starts;
  for (const auto& request : played->requests) starts.push_back(request.start_s);
  CHECK(starts == std::vector<double>{0, 30, 904, 934, 934, 1838});
  CHECK(played->requests[0].finish_s == 4);
  CHECK(played->requests[2].finish_s == 909);
  CHECK(played->unique_blocks == 3);
  CHECK(played->ceiling == 3);
}

TEST_CASE("lru and belady do what slow players do") {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const auto trace = read(trace_format::sessions, random_sessions(seed));
    const auto played = make_scenario(trace, {.slots = 5, .seed = seed});
    REQUIRE(played);
    for (const std::uint64_t capacity : {1, 7, 40, 120, 10'000}) {
      CAPTURE(capacity);
      CHECK(play_row(trace, *played, {.policy = "lru", .device_blocks = capacity}).device_hits == naive_lru_hits(trace, *played, capacity));
      CHECK(play_row(trace, *played, {.policy = "belady", .device_blocks = capacity}).device_hits ==
            naive_belady_hits(trace, *played, capacity));
    }
  }
}

TEST_CASE("a host tier that excludes the device makes one larger cache under lru") {
  const auto trace = read(trace_format::sessions, random_sessions(3));
  const auto played = make_scenario(trace, {.slots = 5, .seed = 3});
  REQUIRE(played);
  const auto two = play_row(trace, *played, {.policy = "lru", .device_blocks = 60, .host_blocks = 60});
  CHECK(two.device_hits + two.host_hits == naive_lru_hits(trace, *played, 120));
  CHECK(two.onboarded == two.host_hits);
}

TEST_CASE("every policy and routing plays every shape, and never beats the ceiling") {
  const auto trace = read(trace_format::sessions, random_sessions(4));
  const auto played = make_scenario(trace, {.slots = 5, .seed = 4});
  REQUIRE(played);
  for (const auto* policy : {"lru", "priority", "lifecycle"})
    for (const auto* routing : {"round_robin", "random", "least_loaded", "sticky", "cost"})
      for (const std::uint64_t host : {0, 30})
        for (const bool deaths : {false, true}) {
          const auto row = play_row(trace, *played, {policy, routing, 60, host, 3, deaths, 1, {}});
          CHECK(row.blocks == played->blocks);
          CHECK(row.device_hits + row.host_hits <= played->ceiling);
          CHECK(row.device_hits + row.host_hits + row.computed == row.blocks);
          CHECK(row.first_token_s.size() == played->requests.size());
        }
}

TEST_CASE("lifecycle hits more when it is told which tools the sessions wait for") {
  // 24 sessions of 60 turns, all of the same lengths: 7 of 10 calls read a file in about 0.5 s, the others build for about two minutes.
  enum class tool_names { recorded, missing };
  const auto generated = [](tool_names names) {
    std::mt19937 rng(11);
    std::normal_distribution<double> spread(0, 0.4);
    std::string lines;
    for (int session = 0; session < 24; ++session) {
      double at_s = 0;
      for (int turn = 0; turn < 60; ++turn) {
        const bool is_build = rng() % 10 >= 7;
        const std::string tool = is_build ? "build" : "read";
        at_s += 2;
        lines += R"({"type":"turn","session":"s)" + std::to_string(session) + R"(","at_ms":)" + std::to_string(at_s * 1000);
        lines += R"(,"prompt_tokens":)" + std::to_string(3200 + 64 * turn) + R"(,"output_tokens":64,"total_s":2,"how":"tool_calls")";
        if (names == tool_names::recorded) lines += R"(,"tools":[")" + tool + R"("])";
        lines += "}\n";
        at_s += (is_build ? 120 : 0.5) * std::exp(spread(rng));
      }
    }
    return lines;
  };
  const auto hit_rate = [&](tool_names names, const char* policy) {
    const auto trace = read(trace_format::trace, {generated(names)});
    const auto played = make_scenario(trace, {.slots = 16, .seed = 1});
    REQUIRE(played);
    return play_row(trace, *played, {.policy = policy, .device_blocks = 900}).hit_rate();
  };
  const double named = hit_rate(tool_names::recorded, "lifecycle"), nameless = hit_rate(tool_names::missing, "lifecycle");
  const double recency = hit_rate(tool_names::recorded, "lru");
  MESSAGE("hit rates: with names " << named << ", without " << nameless << ", lru " << recency);
  CHECK(hit_rate(tool_names::missing, "lru") == recency);
  CHECK(named > nameless + 0.005);
  CHECK(nameless > recency);
}

TEST_CASE("belady refuses shapes whose future it cannot know") {
  const auto trace = read(trace_format::sessions, random_sessions(5));
  const auto played = make_scenario(trace, {.slots = 5, .seed = 5});
  REQUIRE(played);
  CHECK_FALSE(play({trace, *played, {}, {}}, {.policy = "belady", .device_blocks = 9, .workers = 2}));
  CHECK_FALSE(play({trace, *played, {}, {}}, {.policy = "best", .device_blocks = 9}));
}

TEST_CASE("hints are read, and tell only of tool pauses") {
  CHECK(parse_hints("lognormal:1.5")->value == 1.5);
  CHECK_FALSE(parse_hints("lognormal:"));
  CHECK_FALSE(parse_hints("constant:-1"));
  CHECK(to_string(*parse_hints("constant:30")) == "constant:30");
  const auto trace = read(trace_format::sessions, random_sessions(6));
  const auto played = make_scenario(trace, {.slots = 5, .seed = 6});
  REQUIRE(played);
  const auto exact = make_hints(*played, *parse_hints("exact"), 1);
  for (std::size_t i = 0; i < exact.size(); ++i) CHECK(exact[i] == doctest::Approx(played->requests[i].tool_pause_s));
}
