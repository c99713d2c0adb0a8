// What a workload that was played against a live gateway says: figures by groups of its requests, as a table and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/replay/closed_loop.hpp"
#include "gateway/commands/online_player.hpp"

namespace troupe::gateway {

/// A group of requests. One that failed counts as a request and as an error, and nowhere else.
struct online_group {
  std::string name;
  std::uint64_t requests = 0, errors = 0, prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  std::vector<double> first_token_s;  ///< ascending
  /// Tokens of prompts and answers per second until three quarters of them were answered: what comes after is the end of a closed loop, when
  /// ever fewer sessions are left.
  double tokens_per_s = 0;
  [[nodiscard]] double hit_rate() const;
  [[nodiscard]] double first_token_quantile_s(double share) const;
};

/// What was asked for, as the report repeats it.
struct online_summary {
  std::vector<std::string> traces;
  std::string url, scenario, policy, lifecycle, hints, urgent_hint;
  double urgent_share = 0;
  std::uint32_t seed = 1, sessions = 0;
};

/// all; later: not its agent's first; after_tool_pause, after_person, first: by what came before; team: of sessions with at least four
/// subagents; team_later; urgent and rest. In this order, always all of them.
std::vector<online_group> group_turns(const core::replay::closed_loop& loop, const online_record& record);

std::string online_table(const online_summary& summary, const std::vector<online_group>& groups, const online_record& record);
std::string online_json(const online_summary& summary, const std::vector<online_group>& groups, const online_record& record);

}  // namespace troupe::gateway
