#include "actors/trace.hpp"

#include <doctest/doctest.h>

#include "actors/metrics.hpp"
#include "engine/core/replay/trace_parsers.hpp"
#include "engine/core/retention/pause_model.hpp"
#include "test/support/actor_fixture.hpp"
#include "test/support/files.hpp"

using namespace troupe;
using namespace troupe::actors;
using test::content_of;
using test::temporary_folder;

namespace {

turn_record turn(std::string model = "m", std::string how = "stop") {
  return {.id = {18446744073709551615U},
          .session = {"s"},
          .parent = {},
          .model = {std::move(model)},
          .worker = {2},
          .how = std::move(how),
          .prompt_tokens = 100,
          .cached_tokens = 64,
          .output_tokens = 7,
          .queue_s = 0.25,
          .first_token_s = 0.5,
          .total_s = 2,
          .at_ms = 1700};
}

bool has_line(const std::string& text, const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; }

std::string metrics_of(test::actor_fixture& fixture, const trace_actor& actor) {
  return fixture.request<metrics_text>(actor, metrics_request{}).get().text;
}

}  // namespace

TEST_CASE("records become JSON lines with their fields in one order") {
  test::actor_fixture fixture;
  temporary_folder folder;
  const auto path = folder.path / "trace.jsonl";
  auto actor = fixture.spawn(trace, trace_setup{.path = path, .models = {{"m"}}});
  fixture.tell(actor, turn());
  fixture.tell(actor, lifecycle_record{{"s\xff"}, "die", "accepted", 3, 1800});
  CHECK(content_of(path) ==
        "{\"type\":\"turn\",\"at_ms\":1700,\"id\":\"18446744073709551615\",\"session\":\"s\",\"parent\":\"\",\"model\":\"m\",\"worker\":2,"
        "\"how\":\"stop\",\"prompt_tokens\":100,\"cached_tokens\":64,\"output_tokens\":7,\"queue_s\":0.25,\"first_token_s\":0.5,"
        "\"total_s\":2.0}\n"
        "{\"type\":\"lifecycle\",\"at_ms\":1800,\"session\":\"s\xef\xbf\xbd\",\"verb\":\"die\",\"outcome\":\"accepted\",\"blocks_freed\":3}"
        "\n");
}

TEST_CASE("a turn's line names the tools that its answer called, as the replay reads them") {
  auto record = turn("m", "tool_calls");
  record.tools = {"bash", "edit \"x\""};
  core::replay::turn_parser parser;
  core::replay::recorded_trace read;
  REQUIRE_FALSE(parser.add_line("trace", json_line(record), 1, read));
  REQUIRE_FALSE(parser.add_line("trace", json_line(turn()), 2, read));
  REQUIRE(read.sessions.size() == 1);
  const auto& requests = read.sessions[0].requests;
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].end == core::replay::answer_end::tool_calls);
  CHECK(requests[0].tool == core::tool_of(record.tools));
  CHECK(requests[1].tool == core::tool_of({}));
}

TEST_CASE("turns are counted by model and ending, and unknown names share one label") {
  test::actor_fixture fixture;
  auto actor = fixture.spawn(trace, trace_setup{.path = {}, .models = {{"m"}}});
  fixture.tell(actor, turn());
  fixture.tell(actor, turn());
  fixture.tell(actor, turn("m", "worker_lost"));
  fixture.tell(actor, turn("unknown-1", "sideways"));
  fixture.tell(actor, turn("unknown-2", "sideways"));
  const auto text = metrics_of(fixture, actor);
  CHECK(has_line(text, R"(troupe_turns_total{how="stop",model="m"} 2)"));
  CHECK(has_line(text, R"(troupe_turns_total{how="worker_lost",model="m"} 1)"));
  CHECK(has_line(text, R"(troupe_turns_total{how="other",model="other"} 2)"));
  CHECK(has_line(text, R"(troupe_prompt_tokens_total{model="m"} 300)"));
  CHECK(has_line(text, R"(troupe_cached_tokens_total{model="m"} 192)"));
  CHECK(has_line(text, R"(troupe_output_tokens_total{model="m"} 21)"));
  CHECK(has_line(text, R"(troupe_first_token_seconds_bucket{model="m",le="0.25"} 0)"));
  CHECK(has_line(text, R"(troupe_first_token_seconds_bucket{model="m",le="0.5"} 3)"));
  CHECK(has_line(text, R"(troupe_turn_seconds_sum{model="m"} 6)"));
  CHECK(has_line(text, R"(troupe_queue_seconds_count{model="m"} 3)"));
}

TEST_CASE("what turns have missed is told in their lines and counted by what ended the prefix") {
  test::actor_fixture fixture;
  temporary_folder folder;
  const auto path = folder.path / "trace.jsonl";
  auto actor = fixture.spawn(trace, trace_setup{.path = path, .models = {{"m"}}});
  auto missed = turn();
  missed.miss = {cache_miss_reason::tools_changed, 48};
  fixture.tell(actor, missed);
  CHECK(content_of(path).ends_with("\"total_s\":2.0,\"cache_miss\":\"tools_changed\",\"missed_tokens\":48}\n"));
  missed.miss = {cache_miss_reason::evicted, 16};
  fixture.tell(actor, missed);
  fixture.tell(actor, missed);
  fixture.tell(actor, turn());
  const auto text = metrics_of(fixture, actor);
  CHECK(has_line(text, "troupe_cache_misses_total{model=\"m\",reason=\"tools_changed\"} 1"));
  CHECK(has_line(text, "troupe_cache_misses_total{model=\"m\",reason=\"evicted\"} 2"));
  CHECK(has_line(text, "troupe_cache_missed_tokens_total{model=\"m\",reason=\"evicted\"} 32"));
  CHECK(text.find("reason=\"none\"") == std::string::npos);
}

TEST_CASE("verbs are counted by outcome, with the blocks they freed") {
  test::actor_fixture fixture;
  auto actor = fixture.spawn(trace, trace_setup{});
  fixture.tell(actor, lifecycle_record{{"s"}, "die", "accepted", 30, 1});
  fixture.tell(actor, lifecycle_record{{"t"}, "die", "accepted", 12, 2});
  fixture.tell(actor, lifecycle_record{{"t"}, "dance", "accepted", 0, 3});
  const auto text = metrics_of(fixture, actor);
  CHECK(has_line(text, R"(troupe_lifecycle_verbs_total{outcome="accepted",verb="die"} 2)"));
  CHECK(has_line(text, R"(troupe_lifecycle_verbs_total{outcome="accepted",verb="other"} 1)"));
  CHECK(has_line(text, "troupe_blocks_freed_by_death_total 42"));
  CHECK(has_line(text, "troupe_trace_lines_lost_total 0"));
}

TEST_CASE("a full trace file moves aside, and the one before it is replaced") {
  test::actor_fixture fixture;
  temporary_folder folder;
  const auto path = folder.path / "trace.jsonl";
  const lifecycle_record record{{"s"}, "die", "accepted", 1, 1};
  const auto line = json_line(record) + "\n";
  auto actor = fixture.spawn(trace, trace_setup{.path = path, .file_bytes_max = 2 * line.size(), .models = {}});
  for (int each = 0; each < 5; ++each) fixture.tell(actor, record);
  CHECK(content_of(path) == line);
  CHECK(content_of(path.string() + ".1") == line + line);
}

TEST_CASE("a trace file that cannot be written loses lines, not turns") {
  test::actor_fixture fixture;
  temporary_folder folder;
  auto actor = fixture.spawn(trace, trace_setup{.path = folder.path / "absent" / "trace.jsonl", .models = {{"m"}}});
  fixture.tell(actor, turn());
  fixture.tell(actor, turn());
  const auto text = metrics_of(fixture, actor);
  CHECK(has_line(text, "troupe_trace_lines_lost_total 2"));
  CHECK(has_line(text, R"(troupe_turns_total{how="stop",model="m"} 2)"));
}

TEST_CASE("gauges name each worker, and label values are escaped") {
  worker_status worker;
  worker.worker = {3};
  worker.model = {"a\"b\\c\n"};
  worker.blocks_total = 8;
  worker.blocks_removed = {5, 0, 2};
  worker.sessions_waiting = 6;
  worker.session_waits_by_room = 7;
  worker.session_waits_by_bound = 9;
  worker.blocks_by_role = {1, 2, 3};
  worker.blocks_inherited = 6;
  tier_status remote;
  remote.model = {"m"};
  remote.kind = "remote";
  node_gauges node;
  node.sessions[session_state::tool_paused] = 4;
  node.restarts = 1;
  const auto text = render_gauges({worker}, {remote}, node);
  CHECK(has_line(text, R"(troupe_worker_blocks{worker="3",model="a\"b\\c\n"} 8)"));
  CHECK(has_line(text, R"(troupe_worker_blocks_removed_total{worker="3",model="a\"b\\c\n",cause="capacity"} 5)"));
  CHECK(has_line(text, R"(troupe_worker_sessions_waiting{worker="3",model="a\"b\\c\n"} 6)"));
  CHECK(has_line(text, R"(troupe_worker_session_waits_total{worker="3",model="a\"b\\c\n",end="room"} 7)"));
  CHECK(has_line(text, R"(troupe_worker_session_waits_total{worker="3",model="a\"b\\c\n",end="bound"} 9)"));
  CHECK(has_line(text, R"(troupe_worker_blocks_by_role{worker="3",model="a\"b\\c\n",role="tools"} 3)"));
  CHECK(has_line(text, R"(troupe_worker_blocks_inherited_total{worker="3",model="a\"b\\c\n"} 6)"));
  CHECK(text.find("troupe_tier_blocks_by_role{") == std::string::npos);  // it does not know
  CHECK(has_line(text, R"(troupe_sessions{state="tool_paused"} 4)"));
  CHECK(has_line(text, "troupe_restarts_total 1"));
  CHECK(has_line(text, "# TYPE troupe_worker_blocks gauge"));
  CHECK(has_line(text, "# TYPE troupe_worker_steps_total counter"));
}
