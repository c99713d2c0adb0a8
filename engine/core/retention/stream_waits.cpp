#include "engine/core/retention/stream_waits.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::core {
namespace {

constexpr auto none = return_model::none;
constexpr double gap_s_min = 0.05, log_gap_max = 6;   // e^6 s: one long absence does not make a stream slow for ever
constexpr double pace_weight = 0.4;                   // of the newest gap
constexpr double pace_first = 0.5, pace_width = 0.8;  // of the buckets, in logarithms of seconds
constexpr std::uint32_t output_tokens_steps[] = {60, 250, 1000};
constexpr std::uint32_t tools_known = 256;  // names share a class beyond

double seconds_of(instant time) { return std::chrono::duration<double>(time).count(); }
instant instant_of(double seconds) { return std::chrono::duration_cast<instant>(std::chrono::duration<double>(seconds)); }

std::uint32_t output_bucket(std::uint32_t tokens) {
  std::uint32_t bucket = 0;
  for (const std::uint32_t step : output_tokens_steps) bucket += tokens >= step;
  return bucket;
}

/// Steps per octave from 1/8 s on, `count` in all.
std::uint32_t hint_bucket(double seconds, double steps, std::uint32_t count) {
  const double at = (std::log2(std::max(seconds, 0.125)) + 3) * steps;
  return std::min(static_cast<std::uint32_t>(at), count - 1);
}

}  // namespace

void stream_pace::add(double gap_s) {
  const double log_gap = std::min(std::log(std::max(gap_s, gap_s_min)), log_gap_max);
  ++count_;
  log_gap_ += std::max(pace_weight, 1.0 / count_) * (log_gap - log_gap_);
}

std::uint32_t stream_pace::bucket() const {
  if (count_ == 0) return 0;
  return 1 + static_cast<std::uint32_t>(std::clamp((log_gap_ - pace_first) / pace_width, 0.0, double{buckets - 2}));
}

void wait_models::open(context_waits& waits, wait_kind kind, const return_model::classes& keys, instant now) {
  const auto at = static_cast<std::size_t>(kind);
  waits.kinds[at] = {models_[at].classes_of(keys), now, 0, true};
  waits.leading = kind;
  models_[at].reached(waits.kinds[at].of, 0);
}

void wait_models::retract(context_waits& waits, wait_kind kind) {
  auto& each = waits.kinds[static_cast<std::size_t>(kind)];
  if (each.is_open) models_[static_cast<std::size_t>(kind)].retract(each.of, each.bin);
  each.is_open = false;
}

void wait_models::start(context_waits& waits, turn_input input, const stream_pace& pace, instant now) {
  const auto kind = static_cast<std::uint32_t>(input);
  for (auto& each : waits.kinds) each.is_open = false;
  open(waits, wait_kind::running, {0, kind, kind * stream_pace::buckets + pace.bucket(), none, none}, now);
}

void wait_models::finish(context_waits& waits, const turn_finish& how, const stream_pace& pace, instant now) {
  const auto end = static_cast<std::uint32_t>(how.end);
  const std::uint32_t tool = how.tool == 0 ? none : static_cast<std::uint32_t>(how.tool % tools_known);
  const std::uint32_t base = tool == none ? end : 4 + tool;
  const std::uint32_t paced = base * stream_pace::buckets + pace.bucket();
  advance(waits, now);
  for (const auto kind : {wait_kind::paused, wait_kind::hinted}) retract(waits, kind);  // more is known now of how it has ended
  open(waits, wait_kind::paused, {0, end, tool, paced, paced * 4 + output_bucket(how.output_tokens)}, now);
  if (how.pause_expected_s < 0) return;
  const std::uint32_t coarse = hint_bucket(how.pause_expected_s, 1, 16), fine = hint_bucket(how.pause_expected_s, 2, 32);
  open(waits, wait_kind::hinted, {0, base, base * 16 + coarse, base * 32 + fine, paced * 16 + coarse}, now);
}

void wait_models::supersede(context_waits& waits, turn_input input, double share, instant now) {
  advance(waits, now);
  for (auto& each : waits.kinds) each.is_open = false;
  const auto size = static_cast<std::uint32_t>(std::clamp(share * 4, 0.0, 5.0));  // a subagent begins small, a rewritten history is not
  open(waits, wait_kind::superseded, {0, size, size * 3 + static_cast<std::uint32_t>(input), none, none}, now);
}

void wait_models::come_back(context_waits& waits, instant now) {
  advance(waits, now);
  for (std::size_t kind = 0; kind < wait_kinds; ++kind) {
    auto& each = waits.kinds[kind];
    if (each.is_open) models_[kind].ended(each.of, each.bin);
    each.is_open = false;
  }
}

instant wait_models::advance(context_waits& waits, instant now) {
  for (std::size_t kind = 0; kind < wait_kinds; ++kind) {
    auto& each = waits.kinds[kind];
    if (!each.is_open) continue;
    const int bin = return_model::bin_of(seconds_of(now - each.since));
    while (each.bin < bin) models_[kind].reached(each.of, ++each.bin);
  }
  const auto& leading = waits.kinds[static_cast<std::size_t>(waits.leading)];
  if (leading.bin + 1 >= return_model::bins) return instant{0};
  return leading.since + instant_of(return_model::begin_of(leading.bin + 1)) + instant{1};
}

double wait_models::worth(const context_waits& waits) {
  const auto at = static_cast<std::size_t>(waits.leading);
  return models_[at].worth(waits.kinds[at].of, waits.kinds[at].bin);
}

}  // namespace troupe::core
