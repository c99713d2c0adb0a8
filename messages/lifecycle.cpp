#include "messages/lifecycle.hpp"
#include "messages/cache_miss.hpp"
#include "messages/service.hpp"

#include <array>

namespace troupe {
namespace {

constexpr std::array<std::string_view, 5> states{"idle", "generating", "tool_paused", "dormant", "dead"};
constexpr std::array<std::string_view, 10> verbs{"spawn", "tool_pause", "resume", "compact",  "die",
                                                 "pin",   "retain",     "demote", "prefetch", "release"};
constexpr std::array<std::string_view, 4> prefetch_ends{"none", "in_time", "late", "wasted"};
constexpr std::array<std::string_view, 13> miss_reasons{
    "none",           "first_turn",               "model_changed",     "salt_changed",       "tools_changed", "system_changed",
    "template_changed", "reasoning_effort_changed", "context_compacted", "reasoning_stripped", "input_changed", "worker_changed", "evicted"};
constexpr std::array<std::string_view, 5> outcomes{"accepted", "clipped", "deferred", "rejected", "missing"};

template <class Names>
std::string_view name_of(const Names& names, std::size_t index) noexcept {
  return index < names.size() ? names[index] : std::string_view{"unknown"};
}

}  // namespace

std::string_view to_string(session_state value) noexcept { return name_of(states, static_cast<std::size_t>(value)); }
std::string_view to_string(verb_kind value) noexcept { return name_of(verbs, static_cast<std::size_t>(value)); }
std::string_view to_string(verb_outcome value) noexcept { return name_of(outcomes, static_cast<std::size_t>(value)); }

std::string_view to_string(cache_miss_reason value) noexcept { return name_of(miss_reasons, static_cast<std::size_t>(value)); }

std::string_view to_string(prefetch_end value) noexcept { return name_of(prefetch_ends, static_cast<std::size_t>(value)); }

bool from_string(std::string_view text, verb_kind& value) noexcept {
  for (std::size_t i = 0; i < verbs.size(); ++i)
    if (verbs[i] == text) {
      value = static_cast<verb_kind>(i);
      return true;
    }
  return false;
}

}  // namespace troupe
