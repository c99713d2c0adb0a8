// What the report of an online replay counts where.
#include "gateway/commands/online_report.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/core/replay/trace_reader.hpp"

using namespace troupe;
using namespace troupe::gateway;
using namespace troupe::core::replay;

namespace {

/// A lead of two turns with four subagents of one turn each.
closed_loop team_loop() {
  const std::string one = R"("type":"n","in":8,"out":1,"hash_ids":[1,2]})";
  const std::string mate = R"({"type":"subagent","t":1,"requests":[{"t":0,)" + one + "]},";
  const std::string text = R"({"id":"team","block_size":4,"requests":[{"t":0,)" + one + "," + mate + mate + mate + mate +
                           R"({"t":9,"input_types":["tool_result"],)" + one + "]}";
  trace_reader reader(trace_format::sessions);
  REQUIRE_FALSE(reader.add("team", text));
  const auto trace = reader.finish();
  REQUIRE(trace);
  auto loop = closed_loop::make(*trace, {});
  REQUIRE(loop);
  return std::move(*loop);
}

played_turn answered(std::uint32_t cached, double first_token_s) { return {std::nullopt, {8, cached, 1, first_token_s, first_token_s}, 10 * first_token_s}; }

/// The second of the four subagents failed; the lead is urgent.
online_record record_of() {
  online_record record;
  record.turns = {answered(0, 0.5), answered(0, 0.1), {failure{errc::io_failed, "no answer", {}}, {}},
                  answered(4, 0.3), answered(4, 0.2), answered(8, 0.4)};
  record.is_urgent = {true, false, false, false, false};
  record.verbs["die accepted"] = 5;
  record.verbs_failed = 1;
  record.total_s = 2;
  return record;
}

const online_group& find(const std::vector<online_group>& groups, const std::string& name) {
  for (const auto& group : groups)
    if (group.name == name) return group;
  throw std::runtime_error("no group " + name);
}

}  // namespace

TEST_CASE("requests are counted in every group that they belong to, and failed ones only as errors") {
  const auto groups = group_turns(team_loop(), record_of());
  CHECK(groups.size() == 9);
  const auto& all = find(groups, "all");
  CHECK(all.requests == 6);
  CHECK(all.errors == 1);
  CHECK(all.prompt_tokens == 40);
  CHECK(all.cached_tokens == 16);
  CHECK(all.hit_rate() == 0.4);
  CHECK(find(groups, "first").requests == 5);
  CHECK(find(groups, "team").requests == 6);
  CHECK(find(groups, "team_later").hit_rate() == 1.0);
  CHECK(find(groups, "after_tool_pause").first_token_s == std::vector<double>{0.4});
  CHECK(find(groups, "after_person").requests == 0);
  CHECK(find(groups, "urgent").first_token_s == std::vector<double>{0.4, 0.5});
  CHECK(find(groups, "rest").errors == 1);
}

TEST_CASE("throughput is that of three quarters of the tokens, without the end") {
  const auto groups = group_turns(team_loop(), record_of());
  CHECK(find(groups, "all").tokens_per_s == doctest::Approx(36 / 4.0));   // four of five answers, at 1, 2, 3 and 4 s
  CHECK(find(groups, "rest").tokens_per_s == doctest::Approx(27 / 3.0));  // all three
  CHECK(find(groups, "after_person").tokens_per_s == 0);
}

TEST_CASE("a quantile is a value that was seen") {
  const auto groups = group_turns(team_loop(), record_of());
  const auto& all = find(groups, "all");  // 0.1 0.2 0.3 0.4 0.5
  CHECK(all.first_token_quantile_s(0.5) == 0.3);
  CHECK(all.first_token_quantile_s(0.95) == 0.5);
  CHECK(all.first_token_quantile_s(0) == 0.1);
  CHECK(find(groups, "after_person").first_token_quantile_s(0.5) == 0);
}

TEST_CASE("the report as JSON says what it knows, null for a policy that nobody named, and why requests failed") {
  online_summary summary;
  summary.scenario = "recorded";
  summary.lifecycle = "events";
  summary.sessions = 1;
  const auto record = record_of();
  const auto groups = group_turns(team_loop(), record);
  const auto document = nlohmann::json::parse(online_json(summary, groups, record));
  const auto& row = document.at("rows").at(0);
  CHECK(document.at("requests") == 6);
  CHECK(row.at("policy").is_null());
  CHECK(row.at("errors") == 1);
  CHECK(row.at("error_texts") == nlohmann::json{{"no answer", 1}});
  CHECK(row.at("verbs") == nlohmann::json{{"die accepted", 5}});
  CHECK(row.at("verbs_failed") == 1);
  CHECK(row.at("hit_rate") == 0.4);
  CHECK(row.at("hit_rate_without_first") == 1.0);
  CHECK(row.at("seconds") == 2.0);
  CHECK(row.at("groups").at("rest").at("requests") == 4);
  CHECK(online_table(summary, groups, record).find("     1 failed: no answer\n") != std::string::npos);
}
