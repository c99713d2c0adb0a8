#include "engine/core/replay/closed_loop.hpp"

#include <algorithm>
#include <limits>

#include "engine/core/replay/scenario.hpp"

namespace troupe::core::replay {
namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

double gap_after(const recorded_request& before, const recorded_request& request) {
  return std::clamp(request.at_s - before.at_s - before.service_s, 0.0, gap_s_max);
}

turn_cause cause_of(const recorded_request& request) {
  if (request.input == input_kind::tool_result) return turn_cause::tool;
  return request.input == input_kind::person ? turn_cause::person : turn_cause::unknown;
}

}  // namespace

expected<closed_loop> closed_loop::make(const recorded_trace& trace, const loop_options& options) {
  closed_loop made;
  made.options_ = options;
  if (options.slots == 0) {
    for (const auto& session : trace.sessions) {
      made.add(session);
      made.begin(made.sessions() - 1, session.begin_s);
    }
    made.sessions_begun_ = made.sessions();
    return made;
  }
  if (!trace.has_sessions)
    return failure{errc::invalid_request, "this trace has no sessions: only the recorded scenario can be played", {}};
  for (const auto* session : slot_order(trace, options.seed)) made.add(*session);
  if (made.requests_.empty()) return failure{errc::invalid_request, "no session of this trace has two requests", {}};
  while (made.sessions_begun_ < std::min(options.slots, made.sessions())) {
    made.begin(made.sessions_begun_, made.sessions_begun_ * options.slot_wait_s);
    ++made.sessions_begun_;
  }
  return made;
}

void closed_loop::add(const recorded_session& recorded) {
  const auto first_agent = static_cast<std::uint32_t>(agents_.size());
  const auto first_request = static_cast<std::uint32_t>(requests_.size());
  const auto team = static_cast<std::uint32_t>(recorded.parents.size() - 1);
  const auto session = sessions();
  sessions_.emplace_back().answers_left = static_cast<std::uint32_t>(recorded.requests.size());
  for (std::uint32_t i = 0; i <= team; ++i) {
    agents_.push_back({session, first_agent + recorded.parents[i], team, 0, 0});
    if (i > 0) ++agents_[first_agent + recorded.parents[i]].children_left;
  }
  std::vector<std::uint32_t> last_of(recorded.parents.size(), none);
  for (const auto& request : recorded.requests) {
    const auto number = static_cast<std::uint32_t>(requests_.size());
    requests_.push_back({request, first_agent + request.agent, 0, -1, turn_cause::first});
    waiters_.emplace_back();
    ++agents_[first_agent + request.agent].requests_left;
    link(number, first_agent, recorded.requests.front().at_s, last_of);
    last_of[request.agent] = number;
  }
  answers_left_ += requests_.size() - first_request;
}

/// Hangs the request on the answer that it waits for.
void closed_loop::link(std::uint32_t number, std::uint32_t first_agent, double begin_at_s, std::vector<std::uint32_t>& last_of) {
  auto& made = requests_[number];
  std::uint32_t own = made.agent - first_agent;
  const bool is_first = last_of[own] == none;
  while (last_of[own] == none && agents_[first_agent + own].parent != first_agent + own)
    own = agents_[first_agent + own].parent - first_agent;
  const auto before = last_of[own];
  if (before == none) {
    made.gap_s = (made.asked.at_s - begin_at_s) * options_.pause_scale;
    sessions_.back().roots.push_back(number);
    return;
  }
  waiters_[before].push_back(number);
  made.gap_s = gap_after(requests_[before].asked, made.asked) * options_.pause_scale;
  if (is_first) return;
  made.cause = cause_of(made.asked);
  if (requests_[before].asked.end == answer_end::tool_calls || made.cause == turn_cause::tool) requests_[before].pause_s = made.gap_s;
}

void closed_loop::begin(std::uint32_t session, double at_s) {
  for (const auto number : sessions_[session].roots) due_.emplace(at_s + requests_[number].gap_s, number);
}

std::optional<double> closed_loop::next_due_s() const { return due_.empty() ? std::nullopt : std::optional(due_.top().first); }

std::vector<std::uint32_t> closed_loop::take_due(double now_s, std::size_t room) {
  std::vector<std::uint32_t> taken;
  while (taken.size() < room && !due_.empty() && due_.top().first <= now_s) {
    taken.push_back(due_.top().second);
    due_.pop();
  }
  return taken;
}

std::vector<std::uint32_t> closed_loop::answered(std::uint32_t number, double now_s) {
  for (const auto waiter : waiters_[number]) due_.emplace(now_s + requests_[waiter].gap_s, waiter);
  std::vector<std::uint32_t> ended;
  auto agent = requests_[number].agent;
  --agents_[agent].requests_left;
  while (agents_[agent].requests_left == 0 && agents_[agent].children_left == 0) {
    ended.push_back(agent);
    const auto parent = agents_[agent].parent;
    if (parent == agent) break;
    --agents_[parent].children_left;
    agent = parent;
  }
  --answers_left_;
  const auto session = agents_[agent].session;
  if (--sessions_[session].answers_left == 0 && sessions_begun_ < sessions()) begin(sessions_begun_++, now_s + options_.slot_wait_s);
  return ended;
}

}  // namespace troupe::core::replay
