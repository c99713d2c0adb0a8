#include "gateway/commands/replay_rows.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace troupe::gateway {
namespace {

using core::eviction_cause;
using core::replay::row_figures;

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  std::array<char, 512> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return text.data();
}

double bytes_of(const replay_row& row, std::uint64_t blocks, const replay_summary& summary) {
  return static_cast<double>(blocks) * static_cast<double>(summary.block_tokens) * row.asked.rates.kv_bytes_per_token;
}

std::string name_of(const replay_row& row) {
  return row.asked.workers > 1 ? row.asked.policy + ", " + row.asked.routing : row.asked.policy;
}

/// "capacity 1.2M, death 3.4k": the causes that occurred.
std::string evictions_of(const row_figures& figures) {
  std::string text;
  for (std::size_t cause = 0; cause < figures.evictions.size(); ++cause) {
    if (figures.evictions[cause] == 0) continue;
    text += text.empty() ? "" : ", ";
    text += std::string(core::to_string(static_cast<eviction_cause>(cause))) + " " + std::to_string(figures.evictions[cause]);
  }
  return text.empty() ? "none" : text;
}

template <class Value, class Of>
std::vector<Value> distinct(const std::vector<replay_row>& rows, Of of) {
  std::vector<Value> values;
  for (const auto& row : rows)
    if (std::find(values.begin(), values.end(), of(row)) == values.end()) values.push_back(of(row));
  return values;
}

std::string hit_table(const std::vector<replay_row>& rows) {
  const auto share_of = [](const replay_row& row) { return row.capacity_share; };
  const auto shares = distinct<double>(rows, share_of);
  std::string text = print("%-28s", "hit rate, %, at capacity");
  for (const double share : shares) text += print("%9.4g%%", share * 100);
  for (const auto& name : distinct<std::string>(rows, name_of)) {
    text += print("\n%-28s", name.c_str());
    for (const double share : shares) {
      const auto found =
          std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return name_of(row) == name && share_of(row) == share; });
      text += found == rows.end() ? print("%10s", "") : print("%10.2f", 100 * found->figures.hit_rate());
    }
  }
  return text + "\n";
}

}  // namespace

std::string replay_table(const replay_summary& summary, const std::vector<replay_row>& rows) {
  std::string text = print("%s: %lu requests of %lu sessions, %lu block reads, %lu unique blocks of %lu tokens, ceiling %.2f %%\n\n",
                           summary.scenario.c_str(), summary.requests, summary.sessions, summary.blocks, summary.unique_blocks,
                           summary.block_tokens, 100 * summary.ceiling);
  text += hit_table(rows);
  text += print("\n%-28s%8s%8s%8s%12s%12s%11s%11s%11s%7s  %s\n", "row", "share", "device", "host", "onboard GB", "offload GB", "TTFT s p50",
                "p95", "p99", "s", "evictions");
  for (const auto& row : rows) {
    const auto& figures = row.figures;
    const auto percent = [&](std::uint64_t hits) {
      return figures.blocks == 0 ? 0 : 100.0 * static_cast<double>(hits) / static_cast<double>(figures.blocks);
    };
    text += print("%-28s%7.4g%%%8.2f%8.2f%12.1f%12.1f%11.3f%11.3f%11.3f%7.2f  ", name_of(row).c_str(), row.capacity_share * 100,
                  percent(figures.device_hits), percent(figures.host_hits), bytes_of(row, figures.onboarded, summary) / 1e9,
                  bytes_of(row, figures.offloaded, summary) / 1e9, figures.first_token_quantile_s(0.5),
                  figures.first_token_quantile_s(0.95), figures.first_token_quantile_s(0.99), row.seconds);
    text += evictions_of(figures) + "\n";
  }
  return text;
}

std::string replay_json(const replay_summary& summary, const std::vector<replay_row>& rows) {
  using json = nlohmann::ordered_json;
  json list = json::array();
  for (const auto& row : rows) {
    const auto& figures = row.figures;
    const auto rate = [&](std::uint64_t hits) {
      return figures.blocks == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(figures.blocks);
    };
    json evictions = json::object();
    for (std::size_t cause = 0; cause < figures.evictions.size(); ++cause)
      evictions[std::string(core::to_string(static_cast<eviction_cause>(cause)))] = figures.evictions[cause];
    list.push_back({{"policy", row.asked.policy},
                    {"routing", row.asked.routing},
                    {"capacity_share", row.capacity_share},
                    {"capacity_blocks", row.asked.device_blocks},
                    {"host_blocks", row.asked.host_blocks},
                    {"hints", row.hints},
                    {"deaths", row.asked.deaths},
                    {"workers", row.asked.workers},
                    {"seed", row.asked.seed},
                    {"hit_rate", figures.hit_rate()},
                    {"device_hit_rate", rate(figures.device_hits)},
                    {"host_hit_rate", rate(figures.host_hits)},
                    {"blocks_computed", figures.computed},
                    {"onboarded_bytes", bytes_of(row, figures.onboarded, summary)},
                    {"offloaded_bytes", bytes_of(row, figures.offloaded, summary)},
                    {"first_token_s_p50", figures.first_token_quantile_s(0.5)},
                    {"first_token_s_p90", figures.first_token_quantile_s(0.9)},
                    {"first_token_s_p95", figures.first_token_quantile_s(0.95)},
                    {"first_token_s_p99", figures.first_token_quantile_s(0.99)},
                    {"evictions", std::move(evictions)},
                    {"decisions", figures.decisions},
                    {"seconds", row.seconds}});
  }
  const json all{{"traces", summary.traces},      {"scenario", summary.scenario},         {"requests", summary.requests},
                 {"sessions", summary.sessions},  {"block_tokens", summary.block_tokens}, {"unique_blocks", summary.unique_blocks},
                 {"block_reads", summary.blocks}, {"ceiling", summary.ceiling},           {"rows", std::move(list)}};
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace troupe::gateway
