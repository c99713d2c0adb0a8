// closed:C. Sessions of at least two requests are shuffled (std::shuffle and std::mt19937 as libstdc++ has them). Slot i is first free
// at 30 i seconds; each session takes the slot that is free first, and frees it 30 s after its last request has started. A gap
// between requests is as recorded, but at most 900 s plus the time of the answer before.
#include "engine/core/replay/scenario.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <random>

namespace troupe::core::replay {
namespace {

constexpr double slot_stagger_s = 30, slot_rest_s = 30;
constexpr double service_s_unknown = 5;

double finish_of(double start_s, const recorded_request& request) {
  return start_s + (request.service_s > 0 ? request.service_s : service_s_unknown);
}

/// Appends one session that begins at `begin_s`; returns when its last request starts.
double play(const recorded_session& session, double begin_s, bool capped, scenario& into) {
  const auto& all = session.requests;
  double start = begin_s;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0) {
      const double gap = std::max(0.0, all[i].at_s - all[i - 1].at_s);
      start += capped ? std::min(gap, gap_s_max + all[i - 1].service_s) : gap;
    }
    if (i > 0 && all[i].input == input_kind::tool_result) {
      auto& before = into.requests.back();
      before.tool_pause_s = std::max(0.0, start - before.finish_s);
    }
    into.requests.push_back({start, finish_of(start, all[i]), into.sessions, all[i], -1, i + 1 == all.size()});
  }
  ++into.sessions;
  return start;
}

void play_closed(const recorded_trace& trace, const scenario_options& options, scenario& into) {
  std::vector<double> free_at(options.slots);
  for (std::size_t i = 0; i < free_at.size(); ++i) free_at[i] = slot_stagger_s * static_cast<double>(i);
  for (const auto* session : slot_order(trace, options.seed)) {
    const auto slot = std::min_element(free_at.begin(), free_at.end());
    *slot = play(*session, *slot, true, into) + slot_rest_s;
  }
}

void count_blocks(const recorded_trace& trace, scenario& into) {
  std::vector<bool> seen(trace.blocks.size());
  for (const auto& request : into.requests) {
    into.blocks += request.asked.blocks;
    std::uint32_t fresh = 0;
    for (auto at = request.asked.last; at != no_block && !seen[at]; at = trace.blocks.parent(at), ++fresh) seen[at] = true;
    into.unique_blocks += fresh;
  }
  into.ceiling = into.blocks - into.unique_blocks;
}

}  // namespace

std::optional<scenario_options> parse_scenario(std::string_view text) {
  scenario_options options;
  if (text == "recorded") return options;
  constexpr std::string_view prefix = "closed:";
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.slots);
  if (error != std::errc{} || end != text.data() + text.size() || options.slots == 0 || options.slots > 1'000'000) return std::nullopt;
  return options;
}

std::vector<const recorded_session*> slot_order(const recorded_trace& trace, std::uint32_t seed) {
  std::vector<const recorded_session*> order;
  for (const auto& session : trace.sessions)
    if (session.requests.size() >= 2) order.push_back(&session);
  std::mt19937 rng(seed);
  std::shuffle(order.begin(), order.end(), rng);
  return order;
}

expected<scenario> make_scenario(const recorded_trace& trace, const scenario_options& options) {
  scenario made;
  if (options.slots == 0) {
    for (const auto& session : trace.sessions) play(session, session.begin_s, false, made);
  } else {
    if (!trace.has_sessions)
      return failure{errc::invalid_request, "this trace has no sessions: only the recorded scenario can be played", {}};
    play_closed(trace, options, made);
    if (made.requests.empty()) return failure{errc::invalid_request, "no session of this trace has two requests", {}};
  }
  std::stable_sort(made.requests.begin(), made.requests.end(), [](const auto& a, const auto& b) { return a.start_s < b.start_s; });
  count_blocks(trace, made);
  return made;
}

}  // namespace troupe::core::replay
