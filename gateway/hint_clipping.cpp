#include "gateway/hint_clipping.hpp"

#include <algorithm>
#include <array>

namespace troupe::gateway {
namespace {

constexpr std::array<std::string_view, 4> tiers{"\"device\"", "\"host\"", "\"disk\"", "\"remote\""};

std::uint32_t ttl_max_of(const hint_policy& policy) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(policy.ttl_max.count(), 0, UINT32_MAX));
}

/// Says so unless nothing changes.
template <class Number>
void bound(Number& value, Number low, Number high, std::string_view name, hint_report& report) {
  const auto asked = std::exchange(value, std::clamp(value, low, high));
  if (asked != value) report.clip(name, std::to_string(asked), std::to_string(value));
}

void clip_order(hint_reading& reading, const hint_policy& policy) {
  auto& hints = reading.hints;
  const auto priority_max = std::clamp(policy.priority_max, 0, limits::priority_max);
  // To go behind others takes nothing from anybody.
  bound(hints.priority, -limits::priority_max, priority_max, name_of(hint_field::priority), reading.report);
  // Whoever may not go before others may not do it by another word.
  bound(hints.tier, 0U, priority_max > 0 ? limits::tier_max : 0U, name_of(hint_field::tier), reading.report);
  if (hints.urgency != work_class::interactive || priority_max > 0) return;
  hints.urgency = work_class::normal;
  reading.report.clip(name_of(hint_field::urgency), "\"interactive\"", "\"normal\"");
}

}  // namespace

void clip_hints(hint_reading& reading, const hint_policy& policy) {
  auto& hints = reading.hints;
  clip_order(reading, policy);
  const auto weight_max = std::clamp(policy.weight_max, 0, 100);
  for (std::size_t i = 0; i < hints.retain.size(); ++i) {
    const auto name = index_path(name_of(hint_field::retain), i);
    bound(hints.retain[i].priority, 0, weight_max, name + ".weight", reading.report);
    bound(hints.retain[i].ttl_ms, 0U, ttl_max_of(policy), name + ".ttl_ms", reading.report);
  }
  hints.breakpoint_priority = std::min(hints.breakpoint_priority, weight_max);
  const auto deepest = std::min(hints.max_tier, policy.deepest_tier);
  if (deepest != hints.max_tier && reading.has(hint_field::max_tier))
    reading.report.clip(name_of(hint_field::max_tier), std::string(tiers[static_cast<std::size_t>(hints.max_tier)]),
                        std::string(tiers[static_cast<std::size_t>(deepest)]));
  hints.max_tier = deepest;
}

void place_breakpoints(turn_prompt& prompt, hint_reading& reading, const hint_policy& policy) {
  for (const auto& mark : reading.marks) {
    const bool is_there = mark.message < prompt.messages.size() && !prompt.messages[mark.message].blocks.empty();
    if (!is_there) {
      reading.ignore("cache.retain.at.message", "there is no message " + std::to_string(mark.message) + " in the prompt");
      continue;
    }
    auto& blocks = prompt.messages[mark.message].blocks;
    auto& block = blocks[std::min<std::size_t>(mark.block, blocks.size() - 1)];
    block.cache_ttl_ms = std::max(block.cache_ttl_ms, mark.ttl_ms);
  }
  std::uint32_t placed = 0, asked = 0;
  const auto ttl_max = ttl_max_of(policy);
  for (auto& message : prompt.messages)
    for (auto& block : message.blocks) {
      if (block.cache_ttl_ms == 0) continue;
      ++placed;
      asked = std::max(asked, block.cache_ttl_ms);
      block.cache_ttl_ms = std::min(block.cache_ttl_ms, ttl_max);
    }
  if (placed > 0) reading.report.apply("cache.breakpoints", std::to_string(placed));
  if (asked > ttl_max) reading.report.clip("cache.breakpoints.ttl_ms", std::to_string(asked), std::to_string(ttl_max));
}

std::string clip_verb(session_verb& verb, const hint_policy& policy) {
  if (verb.what != verb_kind::pin && verb.what != verb_kind::retain) return {};
  std::string what;
  const auto ttl_max = ttl_max_of(policy);
  if (verb.ttl_ms > ttl_max) {
    what = "at most " + std::to_string(ttl_max) + " ms";
    verb.ttl_ms = ttl_max;
  }
  // A pin is above every weight: whoever may not use all of them may only retain.
  const auto weight_max = std::clamp(policy.weight_max, 0, 100);
  if (weight_max < 100 && verb.what == verb_kind::pin) {
    verb.what = verb_kind::retain;
    verb.priority = weight_max;
    what += std::string(what.empty() ? "" : ", ") + "retained with weight " + std::to_string(weight_max) + " instead of pinned";
  } else if (verb.what == verb_kind::retain && (verb.priority > weight_max || (verb.priority < 0 && weight_max < limits::breakpoint_priority))) {
    verb.priority = weight_max;
    what += std::string(what.empty() ? "" : ", ") + "weight at most " + std::to_string(weight_max);
  }
  return what;
}

void note_clipped(verb_answer& answer, const std::string& what) {
  if (what.empty() || answer.outcome == verb_outcome::rejected || answer.outcome == verb_outcome::missing) return;
  if (answer.outcome == verb_outcome::accepted) answer.outcome = verb_outcome::clipped;
  answer.detail = answer.detail.empty() ? what : what + "; " + answer.detail;
}

}  // namespace troupe::gateway
