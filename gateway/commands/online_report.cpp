#include "gateway/commands/online_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

using core::replay::turn_cause;
constexpr std::uint32_t team_agents_min = 4;

struct member {
  const core::replay::loop_request& request;
  const core::replay::loop_agent& agent;
  bool is_urgent;
};
bool is_later(const member& one) { return one.request.cause != turn_cause::first; }
bool is_team(const member& one) { return one.agent.team >= team_agents_min; }

struct group_rule {
  const char* name;
  bool (*holds)(const member&);
};
constexpr group_rule rules[] = {
    {"all", [](const member&) { return true; }},
    {"later", is_later},
    {"after_tool_pause", [](const member& one) { return one.request.cause == turn_cause::tool; }},
    {"after_person", [](const member& one) { return one.request.cause == turn_cause::person; }},
    {"first", [](const member& one) { return !is_later(one); }},
    {"team", is_team},
    {"team_later", [](const member& one) { return is_team(one) && is_later(one); }},
    {"urgent", [](const member& one) { return one.is_urgent; }},
    {"rest", [](const member& one) { return !one.is_urgent; }},
};

void count(const played_turn& turn, online_group& into) {
  ++into.requests;
  if (turn.failed) {
    ++into.errors;
    return;
  }
  into.prompt_tokens += turn.seen.prompt_tokens;
  into.cached_tokens += turn.seen.cached_tokens;
  into.output_tokens += turn.seen.output_tokens;
  into.first_token_s.push_back(turn.seen.first_token_s);
}

double rate_of(std::vector<std::pair<double, std::uint64_t>> tokens_at) {
  std::sort(tokens_at.begin(), tokens_at.end());
  std::uint64_t all = 0, answered = 0;
  for (const auto& each : tokens_at) all += each.second;
  for (const auto& [ended_s, tokens] : tokens_at) {
    answered += tokens;
    if (4 * answered >= 3 * all && ended_s > 0) return static_cast<double>(answered) / ended_s;
  }
  return 0;
}

/// What failed, by its text; texts beyond the limit are counted as "others".
std::map<std::string, std::uint64_t> error_texts(const online_record& record) {
  std::map<std::string, std::uint64_t> texts;
  for (const auto& turn : record.turns) {
    if (!turn.failed) continue;
    const bool has_room = texts.size() < limits::replay_errors_max || texts.contains(turn.failed->message);
    ++texts[has_room ? turn.failed->message : "others"];
  }
  return texts;
}

nlohmann::ordered_json json_of(const online_group& group) {
  return {{"requests", group.requests},
          {"errors", group.errors},
          {"prompt_tokens", group.prompt_tokens},
          {"cached_tokens", group.cached_tokens},
          {"output_tokens", group.output_tokens},
          {"hit_rate", group.hit_rate()},
          {"tokens_per_s", group.tokens_per_s},
          {"first_token_s_p50", group.first_token_quantile_s(0.5)},
          {"first_token_s_p95", group.first_token_quantile_s(0.95)}};
}

}  // namespace

double online_group::hit_rate() const {
  return prompt_tokens == 0 ? 0 : static_cast<double>(cached_tokens) / static_cast<double>(prompt_tokens);
}

/// The smallest value that at least this share of the values does not exceed.
double online_group::first_token_quantile_s(double share) const {
  if (first_token_s.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(first_token_s.size())));
  return first_token_s[std::clamp<std::size_t>(rank, 1, first_token_s.size()) - 1];
}

std::vector<online_group> group_turns(const core::replay::closed_loop& loop, const online_record& record) {
  std::vector<online_group> groups;
  for (const auto& rule : rules) {
    auto& group = groups.emplace_back();
    group.name = rule.name;
    std::vector<std::pair<double, std::uint64_t>> tokens_at;
    for (std::size_t i = 0; i < record.turns.size(); ++i) {
      const auto& request = loop.requests()[i];
      if (!rule.holds({request, loop.agents()[request.agent], record.is_urgent[request.agent]})) continue;
      const auto& turn = record.turns[i];
      count(turn, group);
      if (!turn.failed) tokens_at.emplace_back(turn.ended_s, std::uint64_t{turn.seen.prompt_tokens} + turn.seen.output_tokens);
    }
    group.tokens_per_s = rate_of(std::move(tokens_at));
    std::sort(group.first_token_s.begin(), group.first_token_s.end());
  }
  return groups;
}

std::string online_table(const online_summary& summary, const std::vector<online_group>& groups, const online_record& record) {
  auto text = fmt::format(
      "{} on {}: {} requests of {} sessions in {:.1f} s, lifecycle {}, hints {}, urgent {:g} "
      "({})\n\n{:18}{:>9}{:>8}{:>14}{:>14}{:>9}{:>12}{:>9}\n",
      summary.scenario, summary.url, record.turns.size(), summary.sessions, record.total_s, summary.lifecycle, summary.hints,
      summary.urgent_share, summary.urgent_hint, "group", "requests", "errors", "prompt tokens", "cached tokens", "hit, %", "TTFT s p50",
      "p95");
  for (const auto& group : groups) {
    if (group.requests == 0) continue;
    text += fmt::format("{:18}{:9}{:8}{:14}{:14}{:9.2f}{:12.3f}{:9.3f}\n", group.name, group.requests, group.errors, group.prompt_tokens,
                        group.cached_tokens, 100 * group.hit_rate(), group.first_token_quantile_s(0.5), group.first_token_quantile_s(0.95));
  }
  if (!record.verbs.empty()) text += "\n";
  for (const auto& [verb, times] : record.verbs) text += fmt::format("{:6} {}\n", times, verb);
  for (const auto& [what, times] : error_texts(record)) text += fmt::format("{:6} failed: {}\n", times, what);
  return text;
}

std::string online_json(const online_summary& summary, const std::vector<online_group>& groups, const online_record& record) {
  using json = nlohmann::ordered_json;
  const auto find = [&](const char* name) -> const online_group& {
    return *std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.name == name; });
  };
  json by_name = json::object();
  for (const auto& group : groups) by_name[group.name] = json_of(group);
  const auto &all = find("all"), &paused = find("after_tool_pause");
  const json row{{"policy", summary.policy.empty() ? json(nullptr) : json(summary.policy)},
                 {"lifecycle", summary.lifecycle},
                 {"hints", summary.hints},
                 {"urgent_share", summary.urgent_share},
                 {"urgent_hint", summary.urgent_hint},
                 {"seed", summary.seed},
                 {"hit_rate", all.hit_rate()},
                 {"hit_rate_without_first", find("later").hit_rate()},
                 {"first_token_s_p50", all.first_token_quantile_s(0.5)},
                 {"first_token_s_p95", all.first_token_quantile_s(0.95)},
                 {"after_tool_pause_first_token_s_p50", paused.first_token_quantile_s(0.5)},
                 {"after_tool_pause_first_token_s_p95", paused.first_token_quantile_s(0.95)},
                 {"errors", all.errors},
                 {"error_texts", error_texts(record)},
                 {"verbs", record.verbs},
                 {"verbs_failed", record.verbs_failed},
                 {"seconds", record.total_s},
                 {"groups", std::move(by_name)}};
  const json document{{"traces", summary.traces}, {"url", summary.url},           {"scenario", summary.scenario},
                      {"requests", all.requests}, {"sessions", summary.sessions}, {"rows", json::array({row})}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace troupe::gateway
