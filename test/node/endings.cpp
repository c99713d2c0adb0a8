// How turns and nodes end early: by the client's leaving, by a deadline, by a drain.
#include <doctest/doctest.h>

#include <thread>

#include "test/node/turn_stream.hpp"
#include "test/node/whole_node.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

/// 10 ms a step, a block of prompt in each.
const std::string slow_worker =
    "backend = \"timing\"\nblocks = 1024\nblock_tokens = 16\ntiming_step_us = 10000\n"
    "step_tokens_max = 16\nprefill_chunk_max = 16\nrunning_max = 8\n";

bool is_at_rest(const node_status& status) {
  const auto& worker = status.workers.at(0);
  return worker.running == 0 && worker.waiting == 0 && worker.blocks_leased == 0;
}

}  // namespace

TEST_CASE("a client that leaves while it is answered stops the computation") {
  whole_node node{{.worker_keys = slow_worker}};
  turn_stream turn{node.port(), completion_of(some_tokens(20, 1), 5000)};
  REQUIRE(turn.next());
  const auto before = node.worker();
  CHECK(before.running == 1);
  turn.close();
  const auto after = node.status_once(is_at_rest).workers.at(0);
  CHECK(after.tokens_sampled < before.tokens_sampled + 500);
  // Nobody named the session: it has died, and its blocks with it.
  const auto end = node.status_once([](const node_status& status) { return status.sessions == 0; });
  CHECK(end.turns_running == 0);
  CHECK(node.status_once([](const node_status& status) { return status.workers.at(0).blocks_cached == 0; }).workers.at(0).blocks_free ==
        1024);
}

TEST_CASE("a session that nobody named dies with its turn, however the turn ends") {
  whole_node node{{.model_keys = "context_tokens_max = 100", .worker_keys = slow_worker}};
  turn_stream refused{node.port(), completion_of(some_tokens(200, 1), 1)};
  CHECK(refused.finish().error_code == "context_length_exceeded");
  turn_stream late{node.port(), completion_of(some_tokens(20, 1), 80), {{"x-request-timeout-ms", "100"}}};
  CHECK(late.finish().error_code == "deadline_exceeded");
  const auto status = node.status_once([](const node_status& status) { return status.sessions == 0; });
  CHECK(status.turns_running == 0);
  // One that has a name outlives a turn that was refused.
  turn_stream named{node.port(), completion_of(some_tokens(200, 1), 1), {{"x-session-id", "named"}}};
  CHECK(named.finish().error_code == "context_length_exceeded");
  CHECK(node.status().sessions == 1);
}

TEST_CASE("a client that leaves during the prefill stops it within a few steps") {
  whole_node node{{.worker_keys = slow_worker}};
  turn_stream turn{node.port(), completion_of(some_tokens(8000, 1), 10), {{"x-session-id", "kept"}}};
  node.status_once([](const node_status& status) { return status.workers.at(0).tokens_computed >= 64; });
  turn.close();
  const auto after = node.status_once(is_at_rest).workers.at(0);
  CHECK(after.tokens_computed < 4000);
  CHECK(after.tokens_sampled == 0);
  CHECK(after.integrity.empty());
  // The session lives on, and what was computed of its prompt is not computed again.
  turn_stream again{node.port(), completion_of(some_tokens(64, 1), 1), {{"x-session-id", "kept"}}};
  CHECK(again.finish().cached_tokens == 48);
}

TEST_CASE("a death ends a running turn with a clear error, and nothing is left of it") {
  whole_node node{{.worker_keys = slow_worker}};
  turn_stream turn{node.port(), completion_of(some_tokens(100, 1), 5000), {{"x-session-id", "doomed"}}};
  REQUIRE(turn.next());
  CHECK(node.ask("DELETE", "/v1/sessions/doomed").status == 200);
  const auto& result = turn.finish();
  CHECK_FALSE(result.done);
  CHECK(result.error_code == "cancelled");
  const auto after =
      node.status_once([](const node_status& status) { return is_at_rest(status) && status.workers.at(0).blocks_cached == 0; });
  CHECK(after.workers.at(0).blocks_free == 1024);
  CHECK(after.sessions == 0);
}

TEST_CASE("a drain lets a running turn finish, refuses a new one with 503, and ends") {
  whole_node node{{.worker_keys = slow_worker}};
  turn_stream turn{node.port(), completion_of(some_tokens(20, 1), 100), {{"x-session-id", "last"}}};
  REQUIRE(turn.next());
  // A request whose first half arrived before the drain: the gateway still reads it.
  http_client late{node.port()};
  const auto body = completion_of({1, 2, 3}, 1).dump();
  late.send("POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: " +
            std::to_string(body.size()) + "\r\n");
  CHECK(node.ask("GET", "/ready").status == 200);  // by now the half has been read
  drain_done drained;
  std::thread draining{[&] { drained = node.drain(std::chrono::seconds{15}); }};
  node.status_once([](const node_status& status) { return status.state == "draining"; });
  late.send("\r\n" + body);
  const auto refused = late.receive();
  CHECK(refused.status == 503);
  CHECK(refused.field("retry-after") == "1");
  CHECK(json::parse(refused.body).at("error").at("code") == "draining");
  CHECK(turn.finish().done);
  CHECK(turn.result().output_tokens == 100);
  draining.join();
  CHECK(drained == drain_done{1, 0});
  const auto port = node.port();
  node.end();
  CHECK_THROWS(http_client{port});
}

TEST_CASE("a drain whose time is up tells the turns that still run") {
  whole_node node{{.worker_keys = slow_worker}};
  turn_stream turn{node.port(), completion_of(some_tokens(20, 1), 5000), {{"x-session-id", "endless"}}};
  REQUIRE(turn.next());
  const auto drained = node.drain(std::chrono::milliseconds{100});
  CHECK(drained == drain_done{0, 1});
  const auto& result = turn.finish();
  CHECK_FALSE(result.done);
  CHECK(result.error_code == "draining");
  node.end();
}
