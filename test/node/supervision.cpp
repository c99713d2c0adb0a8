// Actors of a node are killed behind their peers' backs while turns run: what a client sees of it is at most a clear error.
#include <doctest/doctest.h>

#include <unistd.h>

#include <fstream>

#include "test/node/turn_stream.hpp"
#include "test/node/whole_node.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

constexpr std::uint32_t long_answer = 2000;
const std::string two_workers = "blocks = 512\nblock_tokens = 16\ncount = 2\n";
/// Three hundred steps of such a worker last a second and a half, whatever the machine.
const std::string timing_worker = "backend = \"timing\"\nblocks = 1024\nblock_tokens = 16\ntiming_step_us = 5000\n";

std::vector<turn_stream> start_turns(whole_node& node, const std::string& name, const json& body, int count) {
  std::vector<turn_stream> turns;
  for (int i = 0; i < count; ++i) turns.emplace_back(node.port(), body, http_fields{{"x-session-id", name + std::to_string(i)}});
  return turns;
}

void check_whole(turn_stream& turn, std::uint32_t tokens) {
  const auto& result = turn.finish();
  CHECK(result.status == 200);
  CHECK(result.error_code == "");
  CHECK(result.done);
  CHECK(result.finish_reason == "length");
  CHECK(result.output_tokens == tokens);
}

void check_next_turn(whole_node& node, const json& body) {
  turn_stream turn{node.port(), body};
  check_whole(turn, body.at("max_tokens"));
}

void check_crash_leaves_no_trace(const std::string& workers, const json& body) {
  whole_node node{{.worker_keys = workers}};
  turn_stream calm{node.port(), body};
  const auto undisturbed = calm.finish();
  REQUIRE(undisturbed.output_tokens == long_answer);
  const auto before = node.status().workers;
  turn_stream turn{node.port(), body, {{"x-session-id", "hit"}}};
  REQUIRE(turn.next());
  const auto now = node.status().workers;
  const std::size_t busy = now[0].steps > before[0].steps ? 0 : 1;
  node.kill(child::worker, busy);
  const auto& result = turn.finish();
  CHECK(result.done);
  CHECK(result.error_code.empty());
  CHECK(result.text == undisturbed.text);
  CHECK(result.output_tokens == long_answer);
  const auto after = node.status();
  CHECK(after.restarts == 1);
  REQUIRE(after.workers.size() == now.size());
  CHECK(after.workers[busy].epoch == 2);
  // What the client got after the crash was computed after the crash: a new worker counts from zero.
  auto continued = after.workers[busy].tokens_sampled;
  if (now.size() == 2) continued += after.workers[1 - busy].tokens_sampled - now[1 - busy].tokens_sampled;
  CHECK(continued > 0);
  CHECK(continued < long_answer);
}

}  // namespace

TEST_CASE("a stream whose only worker is killed equals the undisturbed one") {
  check_crash_leaves_no_trace("blocks = 1024\nblock_tokens = 16\n", chat_of("Tell me of the sea.", long_answer));
}

TEST_CASE("a stream whose worker is killed goes on with another one, sampled tokens included") {
  auto body = chat_of("Tell me of the sea.", long_answer);
  body["temperature"] = 1;
  body["seed"] = 7;
  check_crash_leaves_no_trace(two_workers, body);
}

TEST_CASE("turns go on when the router is killed, and later ones find the workers") {
  whole_node node{{.worker_keys = timing_worker}};
  const auto body = completion_of(some_tokens(100, 1), 60);
  auto running = start_turns(node, "before", body, 3);
  for (auto& turn : running) REQUIRE(turn.next());
  auto starting = start_turns(node, "while", body, 3);
  node.kill(child::router_shard);
  auto after = start_turns(node, "after", body, 3);
  for (auto* turns : {&running, &starting, &after})
    for (auto& turn : *turns) check_whole(turn, 60);
  check_next_turn(node, body);
  const auto status = node.status();
  CHECK(status.restarts == 1);
  CHECK(status.workers.at(0).epoch == 1);
}

TEST_CASE("turns that wait for the template renderer are rendered by its successor") {
  // The template takes its time, so that the renderer dies while it renders and while others queue.
  const auto slow = std::filesystem::temp_directory_path() / ("troupe_slow_" + std::to_string(::getpid()) + ".jinja");
  std::ofstream{slow} << "{% for i in range(200) %}{% for j in range(500) %}{% endfor %}{% endfor %}"
                         "{% for message in messages %}{{ message.content }}{% endfor %}";
  whole_node node{{.model_keys = "chat_template = \"" + slow.string() + "\"",
                   .worker_keys = timing_worker,
                   .sections = "[template]\ntime_ms = 20000\n"}};
  const auto body = chat_of("Once upon a time", 20);
  turn_stream running{node.port(), chat_of("Once upon a time", 300), {{"x-session-id", "running"}}};
  REQUIRE(running.next());
  auto waiting = start_turns(node, "waiting", body, 6);
  node.status_once([](const node_status& status) { return status.turns_running == 7; });
  node.kill(child::template_renderer);
  auto after = start_turns(node, "after", body, 2);
  check_whole(running, 300);
  for (auto* turns : {&waiting, &after})
    for (auto& turn : *turns) check_whole(turn, 20);
  check_next_turn(node, body);
  CHECK(node.status().restarts == 1);
  std::filesystem::remove(slow);
}

TEST_CASE("the death of the trace costs no turn, and metrics are counted anew") {
  whole_node node{{.worker_keys = timing_worker}};
  const auto body = completion_of(some_tokens(50, 2), 40);
  auto turns = start_turns(node, "s", body, 3);
  for (auto& turn : turns) REQUIRE(turn.next());
  node.kill(child::trace);
  for (auto& turn : turns) check_whole(turn, 40);
  check_next_turn(node, body);
  const auto metrics = node.ask("GET", "/metrics");
  CHECK(metrics.status == 200);
  CHECK(metrics.body.find("troupe_output_tokens_total{model=\"tiny\"} 160") != std::string::npos);
  CHECK(node.status().restarts == 1);
}

TEST_CASE("turns finish when the session directory is killed, and its successor knows the sessions") {
  whole_node node{{.worker_keys = timing_worker}};
  const auto body = completion_of(some_tokens(50, 3), 60);
  http_client kept{node.port()};
  CHECK(kept.post("/v1/sessions", R"({"id": "lead"})").status == 200);
  CHECK(kept.post("/v1/sessions", R"({"id": "helper", "parent": "lead"})").status == 200);
  turn_stream turn{node.port(), body, {{"x-session-id", "helper"}}};
  REQUIRE(turn.next());
  node.kill(child::session_directory);
  // The connection knew the old directory.
  const auto found = kept.get("/v1/sessions/helper");
  CHECK(found.status == 200);
  CHECK(json::parse(found.body).at("parent") == "lead");
  check_whole(turn, 60);
  turn_stream again{node.port(), body, {{"x-session-id", "helper"}}};
  check_whole(again, 60);
  CHECK(kept.request("DELETE", "/v1/sessions/lead").status == 200);
  const auto events = kept.post("/v1/sessions/helper/events", R"({"id": "1", "verb": "compact"})");
  CHECK(events.status == 409);
  CHECK(node.status().restarts == 1);
  const auto idle = node.status_once([](const node_status& status) { return status.workers.at(0).blocks_cached == 0; });
  CHECK(idle.workers.at(0).blocks_free == idle.workers.at(0).blocks_total);
}

TEST_CASE("every actor killed at once costs no more than a clear error") {
  whole_node node{{.worker_keys = timing_worker + "count = 2\n"}};
  const auto body = chat_of("All at once", 100);
  auto turns = start_turns(node, "s", body, 6);
  for (auto& turn : turns) REQUIRE(turn.next());
  for (const auto what : {child::router_shard, child::trace, child::template_renderer, child::session_directory, child::worker})
    node.kill(what);
  node.kill(child::worker, 1);
  for (auto& turn : turns) {
    const auto& result = turn.finish();
    CHECK_MESSAGE((result.done || result.error_code == "worker_lost"), result.error_code);
  }
  check_next_turn(node, body);
  CHECK(node.status().restarts == 6);
}
