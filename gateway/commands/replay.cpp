// `troupe replay`: a recorded workload against the product's own policies, routing and index, in virtual time.
#include <CLI/App.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "actors/config_timing.hpp"
#include "engine/core/replay/future.hpp"
#include "engine/core/replay/trace_reader.hpp"
#include "engine/core/routing.hpp"
#include "gateway/commands/commands.hpp"
#include "gateway/commands/replay_online.hpp"
#include "gateway/commands/replay_rows.hpp"
#include "gateway/commands/replay_trace.hpp"

namespace troupe::gateway {
namespace {

using namespace core::replay;

constexpr double capacity_shares_default[] = {0.01, 0.02, 0.03, 0.05};  // real pressure is there

struct replay_options : replay_shared_options {
  replay_online_options online;
  std::vector<std::string> routings{"cost"}, tiers;
  std::vector<double> capacity_shares;
  std::uint64_t capacity_blocks = 0;
  std::uint32_t workers = 1;
  bool deaths = false;
  std::filesystem::path timing;
};

using clock = std::chrono::steady_clock;
double seconds_since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

/// SHARE (at most 1) or BYTES of `host=...`, in blocks.
expected<std::uint64_t> host_blocks_of(const replay_options& options, const replay_rates& rates, const scenario& played,
                                       double block_tokens) {
  std::uint64_t blocks = 0;
  for (const auto& tier : options.tiers) {
    constexpr std::string_view prefix = "host=";
    double value = -1;
    const char* end = tier.data() + tier.size();
    const bool named = tier.starts_with(prefix);
    const auto read = named ? std::from_chars(tier.data() + prefix.size(), end, value) : std::from_chars_result{};
    if (!named || read.ec != std::errc{} || read.ptr != end || !(value >= 0 && value <= 1e18))
      return failure{errc::invalid_request, "--tier " + tier + ": expects host=SHARE (at most 1) or host=BYTES", {}};
    blocks += static_cast<std::uint64_t>(value <= 1 ? value * played.unique_blocks : value / (block_tokens * rates.kv_bytes_per_token));
  }
  return blocks;
}

expected<replay_rates> rates_of(const replay_options& options) {
  if (options.timing.empty()) return replay_rates{};  // configs/timing.toml says the same
  std::ifstream file(options.timing, std::ios::binary);
  if (!file) return failure{errc::io_failed, "cannot open " + options.timing.string(), {}};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return actors::parse_timing(text, options.timing.string());
}

/// Every policy with every routing and capacity.
std::vector<replay_row> rows_of(const replay_options& options, const replay_rates& rates, const scenario& played,
                                std::uint64_t host_blocks) {
  auto shares = options.capacity_shares;
  if (shares.empty() && options.capacity_blocks == 0) shares.assign(std::begin(capacity_shares_default), std::end(capacity_shares_default));
  auto policies = options.policies;
  if (policies.empty())
    policies = options.workers > 1 || host_blocks > 0 ? std::vector<std::string>{"lru", "lifecycle"}
                                                      : std::vector<std::string>{"lru", "belady", "lifecycle"};
  std::vector<replay_row> rows;
  const auto add = [&](const std::string& policy, const std::string& routing, double share, std::uint64_t blocks) {
    replay_row& row = rows.emplace_back();
    row.asked = {policy, routing, blocks, host_blocks, options.workers, options.deaths, options.seed, rates};
    row.capacity_share = share;
    row.hints = options.hints;
  };
  for (const auto& policy : policies)
    for (const auto& routing : options.routings) {
      for (const double share : shares) add(policy, routing, share, static_cast<std::uint64_t>(share * played.unique_blocks));
      if (options.capacity_blocks > 0)
        add(policy, routing, static_cast<double>(options.capacity_blocks) / std::max(played.unique_blocks, 1U), options.capacity_blocks);
    }
  return rows;
}

std::optional<failure> play_rows(const replay_input& input, std::vector<replay_row>& rows, progress_bar& bar) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& row = rows[i];
    const auto begin = clock::now();
    const auto what = row.asked.policy + ", row " + std::to_string(i + 1) + " of " + std::to_string(rows.size());
    auto played = play(input, row.asked, [&](double share) { bar.show(what, share); });
    if (!played) return played.error();
    row.figures = std::move(*played);
    row.seconds = seconds_since(begin);
  }
  return std::nullopt;
}

expected<std::vector<replay_row>> replay(const replay_options& options, replay_summary& summary) {
  progress_bar bar;
  const auto hints = parse_hints(options.hints);
  if (!hints)
    return failure{errc::invalid_request, "--hints " + options.hints + ": expects none, exact, lognormal:SIGMA or constant:SECONDS", {}};
  auto shape = parse_scenario(options.scenario_text);
  if (!shape) return failure{errc::invalid_request, "--scenario " + options.scenario_text + ": expects recorded or closed:C", {}};
  shape->seed = options.seed;
  const auto rates = rates_of(options);
  if (!rates) return rates.error();
  const auto trace = load_trace(options.traces, options.format, bar);
  if (!trace) return trace.error();
  const auto played = make_scenario(*trace, *shape);
  if (!played) return played.error();
  const auto host_blocks = host_blocks_of(options, *rates, *played, trace->block_tokens);
  if (!host_blocks) return host_blocks.error();
  auto rows = rows_of(options, *rates, *played, *host_blocks);
  const bool needs_future = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.asked.policy == "belady"; });
  const auto future = needs_future ? future_uses(*trace, *played) : std::vector<std::vector<core::use_run>>{};
  const auto told = make_hints(*played, *hints, options.seed);
  if (auto problem = play_rows({*trace, *played, future, told}, rows, bar)) return *problem;
  for (const auto& path : options.traces) summary.traces.push_back(path.string());
  summary.scenario = options.scenario_text;
  summary.requests = played->requests.size();
  summary.sessions = trace->has_sessions ? played->sessions : 0;
  summary.unique_blocks = played->unique_blocks;
  summary.blocks = played->blocks;
  summary.block_tokens = trace->block_tokens;
  summary.ceiling = played->blocks == 0 ? 0 : static_cast<double>(played->ceiling) / static_cast<double>(played->blocks);
  return rows;
}

int run_replay(const replay_options& options) {
  if (!options.online.url.empty()) return run_online(options, options.online);
  replay_summary summary;
  const auto rows = replay(options, summary);
  if (!rows) return fail(rows.error().message);
  std::fputs(replay_table(summary, *rows).c_str(), stdout);
  if (options.json.empty()) return 0;
  std::ofstream file(options.json, std::ios::binary | std::ios::trunc);
  file << replay_json(summary, *rows) << std::flush;
  return file ? 0 : fail("cannot write " + options.json.string());
}

void add_shared_options(CLI::App& sub, replay_options& options) {
  sub.add_option("trace", options.traces, "Files (plain, .xz, .zst), folders or .tar.zst of them")->required();
  std::vector<std::string> formats;
  for (const auto name : trace_format_names()) formats.emplace_back(name);
  sub.add_option("--format", options.format, "sessions, mooncake, agentic or trace; default: what the first file looks like")
      ->check(CLI::IsMember(formats));
  sub.add_option("--scenario", options.scenario_text, "recorded, or closed:C with C slots");
  sub.add_option("--seed", options.seed, "Of the shuffle, the hints' errors, random routing and urgent agents");
  sub.add_option("--policy", options.policies,
                 "Any of lru, priority, lifecycle, belady; online: the one that the server has, for the report")
      ->delimiter(',');
  sub.add_option("--hints", options.hints, "none, exact, lognormal:SIGMA or constant:SECONDS: what is said of a tool pause when it begins");
  sub.add_option("--json", options.json, "Also write the figures here");
}

void add_lab_options(CLI::App& sub, replay_options& options, CLI::Option* online) {
  auto* share = sub.add_option("--capacity-share", options.capacity_shares, "Of the unique blocks, on all devices together")
                    ->delimiter(',')
                    ->check(CLI::Range(0.0, 1.0))
                    ->excludes(online);
  sub.add_option("--capacity-blocks", options.capacity_blocks, "On all devices together")->excludes(share)->excludes(online);
  sub.add_option("--tier", options.tiers, "host=SHARE (at most 1) or host=BYTES, shared by all workers")->excludes(online);
  sub.add_option("--workers", options.workers, "Devices")->check(CLI::Range(1, 256))->excludes(online);
  sub.add_option("--routing", options.routings, "Any of round_robin, random, least_loaded, sticky, cost")->delimiter(',')->excludes(online);
  sub.add_flag("--deaths", options.deaths, "The end of a session is known")->excludes(online);
  sub.add_option("--timing", options.timing, "TOML with the rates; default: those of configs/timing.toml")->excludes(online);
}

}  // namespace

void add_replay(CLI::App& app, command& run) {
  auto options = std::make_shared<replay_options>();
  auto* sub = app.add_subcommand("replay", "A recorded workload against the policies, in virtual time or against a live gateway");
  add_shared_options(*sub, *options);
  add_lab_options(*sub, *options, add_online_options(*sub, options->online));
  sub->callback([options, &run] { run = [options] { return run_replay(*options); }; });
}

}  // namespace troupe::gateway
