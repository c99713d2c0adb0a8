#include "gateway/commands/replay_online.hpp"

#include <cstdio>
#include <fstream>

#include "engine/core/replay/hints.hpp"
#include "gateway/commands/commands.hpp"
#include "gateway/commands/online_report.hpp"
#include "gateway/commands/replay_trace.hpp"

namespace troupe::gateway {
namespace {

using namespace core::replay;

/// What is told of each tool pause: the lab's hints, drawn for the pauses of the loop.
expected<std::vector<float>> hints_of(const replay_shared_options& shared, const replay_online_options& options, const closed_loop& loop) {
  const auto hints = parse_hints(shared.hints);
  if (!hints)
    return failure{errc::invalid_request, "--hints " + shared.hints + ": expects none, exact, lognormal:SIGMA or constant:SECONDS", {}};
  if (options.lifecycle == "none" && hints->what != hint_options::kind::none)
    return failure{errc::invalid_request, "--hints are told with tool pauses, which --lifecycle none does not tell", {}};
  scenario pauses;
  for (const auto& request : loop.requests()) pauses.requests.emplace_back().tool_pause_s = request.pause_s;
  return make_hints(pauses, *hints, shared.seed);
}

expected<closed_loop> loop_of(const replay_shared_options& shared, const replay_online_options& options, const recorded_trace& trace) {
  const auto shape = parse_scenario(shared.scenario_text);
  if (!shape) return failure{errc::invalid_request, "--scenario " + shared.scenario_text + ": expects recorded or closed:C", {}};
  return closed_loop::make(trace, {shape->slots, shared.seed, options.pause_scale, options.slot_wait_s});
}

online_summary summary_of(const replay_shared_options& shared, const replay_online_options& options, const closed_loop& loop) {
  online_summary summary;
  for (const auto& path : shared.traces) summary.traces.push_back(path.string());
  summary.url = options.url;
  summary.scenario = shared.scenario_text;
  if (!shared.policies.empty()) summary.policy = shared.policies.front();
  summary.lifecycle = options.lifecycle;
  summary.hints = shared.hints;
  summary.urgent_hint = options.urgent_hint;
  summary.urgent_share = options.urgent_share;
  summary.seed = shared.seed;
  summary.sessions = loop.sessions();
  return summary;
}

/// The report, as a table and as JSON.
expected<std::pair<std::string, std::string>> play(const replay_shared_options& shared, const replay_online_options& options) {
  progress_bar bar;
  const auto client =
      online_client::make(options.url, std::chrono::milliseconds(static_cast<std::int64_t>(options.request_timeout_s * 1000)));
  if (!client) return client.error();
  const auto trace = load_trace(shared.traces, shared.format, bar);
  if (!trace) return trace.error();
  const auto prompts = prompt_tokens::make(*trace, options.vocabulary);
  if (!prompts) return prompts.error();
  auto loop = loop_of(shared, options, *trace);
  if (!loop) return loop.error();
  auto hints = hints_of(shared, options, *loop);
  if (!hints) return hints.error();
  online_options play;
  play.told = options.lifecycle == "events" ? online_options::lifecycle::events : online_options::lifecycle::none;
  play.urgent = options.urgent_hint == "priority" ? online_options::urgent_hint::priority : online_options::urgent_hint::none;
  play.model = options.model;
  play.urgent_share = options.urgent_share;
  play.seed = shared.seed;
  play.pause_hints_s = std::move(*hints);
  const auto summary = summary_of(shared, options, *loop);
  const auto record = online_player(*client, *loop, *prompts, std::move(play)).run([&](double share) { bar.show(options.url, share); });
  if (!record) return record.error();
  const auto groups = group_turns(*loop, *record);
  return std::pair(online_table(summary, groups, *record), online_json(summary, groups, *record));
}

}  // namespace

CLI::Option* add_online_options(CLI::App& sub, replay_online_options& options) {
  auto* online = sub.add_option("--online", options.url, "Play against the gateway at this URL instead of in virtual time");
  sub.add_option("--lifecycle", options.lifecycle,
                 "events: the server is told of spawns, tool pauses and deaths; none: it sees requests only")
      ->check(CLI::IsMember({"none", "events"}))
      ->needs(online);
  sub.add_option("--urgent", options.urgent_share, "Share of the agents that are urgent, a group of the report")
      ->check(CLI::Range(0.0, 1.0))
      ->needs(online);
  sub.add_option("--urgent-hint", options.urgent_hint, "priority: urgent requests say so; none: the group is only reported")
      ->check(CLI::IsMember({"none", "priority"}))
      ->needs(online);
  sub.add_option("--model", options.model, "Default: the first that the server lists")->needs(online);
  sub.add_option("--vocabulary", options.vocabulary, "Token ids of the prompts are below this")
      ->check(CLI::Range(2, 1 << 22))
      ->needs(online);
  sub.add_option("--slot-wait-s", options.slot_wait_s,
                 "Of closed:C: slot i is first free after i times this, and rests so long between sessions")
      ->check(CLI::Range(0.0, 3600.0))
      ->needs(online);
  sub.add_option("--pause-scale", options.pause_scale, "What recorded pauses are multiplied by")->check(CLI::Range(0.0, 1000.0))->needs(online);
  sub.add_option("--request-timeout-s", options.request_timeout_s, "Of each request")->check(CLI::Range(0.1, 3600.0))->needs(online);
  return online;
}

int run_online(const replay_shared_options& shared, const replay_online_options& options) {
  const auto report = play(shared, options);
  if (!report) return fail(report.error().message);
  std::fputs(report->first.c_str(), stdout);
  if (shared.json.empty()) return 0;
  std::ofstream file(shared.json, std::ios::binary | std::ios::trunc);
  file << report->second << std::flush;
  return file ? 0 : fail("cannot write " + shared.json.string());
}

}  // namespace troupe::gateway
