#include "engine/core/retention/pause_model.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "messages/base/limits.hpp"

namespace troupe::core {
namespace {

constexpr double pause_s_first = 0.125, pause_s_last = 1000;  // before anything is known, any pause in between is as likely
constexpr double ratio_first = 0.125, ratio_last = 8;         // and of a hint this: about right, rarely wrong by a factor of 8
constexpr double hint_s_min = 1e-3;                           // "at once" still has a ratio
constexpr double doubt = 0.5;                                 // pauses, of a law without a scale, among all that were seen

}  // namespace

std::uint64_t tool_of(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string joined;
  for (const std::string& name : names) joined.append(name).push_back('\0');
  return names.empty() ? 0 : std::max<std::uint64_t>(XXH3_64bits(joined.data(), joined.size()), 1);
}

void pause_model::learned::refine(const log_histogram& finer, const log_law& finer_law) {
  const double kept = finer.coarser_share();
  law.mix(finer_law, 1 - kept);
  weight = finer.weight() + weight * kept;
}

void pause_model::record(const pause_kind& kind, double seconds, double hint_s) {
  if (!std::isfinite(seconds) || seconds < 0) return;
  const bool is_hinted = std::isfinite(hint_s) && hint_s >= 0;
  const double ratio = seconds / std::max(hint_s, hint_s_min);
  pauses_.add(seconds);
  if (is_hinted) ratios_.add(ratio);
  if (kind.tool == 0) return;
  tool_record& tool = record_of(kind.tool);
  tool.pauses.add(seconds);
  tool.by_type[kind.is_subagent ? 1 : 0].add(seconds);
  if (is_hinted) tool.ratios.add(ratio);
}

std::optional<pause_forecast> pause_model::forecast(const pause_kind& kind, double hint_s, double elapsed_s) const {
  const bool is_hinted = std::isfinite(hint_s) && hint_s >= 0;
  if (pauses_.weight() == 0 && !is_hinted) return std::nullopt;
  learned pauses = pauses_of(kind);
  if (is_hinted) {
    const learned hinted = hinted_pauses_of(kind.tool, hint_s);
    // The fourth power: a law twice as narrow rules, one as wide has its half, and lies, which make it wider, have next to nothing.
    const double wide = std::pow(pauses.law.width_octaves(), 4), hinted_wide = std::pow(hinted.law.width_octaves(), 4);
    const double trust = pauses.weight == 0 ? 1 : wide / (wide + hinted_wide);
    pauses.law.mix(hinted.law, trust);
    pauses.weight += (hinted.weight - pauses.weight) * trust;
  }
  if (elapsed_s > 0) pauses.law.outlive(elapsed_s, doubt / (pauses.weight + doubt));
  const auto quantile = [&](double share) { return std::max(pauses.law.quantile(share), elapsed_s); };
  return pause_forecast{quantile(0.1), quantile(0.5), quantile(0.9), pauses.weight};
}

pause_model::learned pause_model::pauses_of(const pause_kind& kind) const {
  static const log_law unknown = log_law::flat(pause_s_first, pause_s_last);
  learned found{unknown};
  found.refine(pauses_);
  const tool_record* tool = find(kind.tool);
  if (tool == nullptr) return found;
  learned own{tool->pauses.law()};  // first among the tool's types: the same pauses must not push the law of all aside twice
  own.refine(tool->by_type[kind.is_subagent ? 1 : 0]);
  found.refine(tool->pauses, own.law);
  return found;
}

pause_model::learned pause_model::hinted_pauses_of(std::uint64_t tool, double hint_s) const {
  static const log_law unknown = log_law::peak(ratio_first, ratio_last);
  learned found{unknown};
  found.refine(ratios_);
  if (const tool_record* at = find(tool)) found.refine(at->ratios);
  found.law = found.law.scaled(std::max(hint_s, hint_s_min));
  return found;
}

const pause_model::tool_record* pause_model::find(std::uint64_t tool) const {
  const auto found = tools_.find(tool);
  return found == tools_.end() ? nullptr : &found->second;
}

pause_model::tool_record& pause_model::record_of(std::uint64_t tool) {
  if (tools_.size() >= limits::pause_tools_max && !tools_.contains(tool)) {
    const auto is_older = [](const auto& a, const auto& b) { return a.second.used_at < b.second.used_at; };
    tools_.erase(std::min_element(tools_.begin(), tools_.end(), is_older));
  }
  tool_record& at = tools_[tool];
  at.used_at = ++records_;
  return at;
}

}  // namespace troupe::core
