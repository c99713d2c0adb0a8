// NaN is "not set" for every float of a wish, so a NaN from a client never reaches the sampler: it reads as silence.
#include "actors/turn_sampling.hpp"

#include <cmath>
#include <string>

#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

float first_set(float wish, float fallback, float neutral) {
  if (!std::isnan(wish)) return wish;
  return std::isnan(fallback) ? neutral : fallback;
}

struct float_range {
  const char* name;
  float value, low, high;
  bool low_open = false;
};

bool holds(const float_range& range) {
  const bool above = range.low_open ? range.value > range.low : range.value >= range.low;
  return std::isfinite(range.value) && above && range.value <= range.high;
}

failure out_of_range(const std::string& name) { return {errc::invalid_request, name + " is out of range", name}; }

}  // namespace

std::uint64_t number_of(request_id id, std::uint64_t index) noexcept {
  std::uint64_t mixed = id.value + (index + 1) * 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

expected<core::sampling_params> resolve_sampling(const sampling_wish& wish, const generation_defaults& defaults, request_id id) {
  constexpr float unset = std::numeric_limits<float>::quiet_NaN();
  core::sampling_params params;
  params.temperature = first_set(wish.temperature, defaults.temperature, 1.0F);
  params.top_p = first_set(wish.top_p, defaults.top_p, 1.0F);
  params.min_p = first_set(wish.min_p, defaults.min_p, 0.0F);
  params.repetition_penalty = first_set(wish.repetition_penalty, defaults.repetition_penalty, 1.0F);
  params.presence_penalty = first_set(wish.presence_penalty, unset, 0.0F);
  params.frequency_penalty = first_set(wish.frequency_penalty, unset, 0.0F);
  params.top_k = wish.top_k >= 0 ? wish.top_k : std::max(defaults.top_k, 0);
  params.logprobs = wish.logprobs;
  params.seed = wish.has_seed ? wish.seed : number_of(id, 0);

  const float_range ranges[] = {
      {"temperature", params.temperature, 0.0F, 100.0F},
      {"top_p", params.top_p, 0.0F, 1.0F, true},
      {"min_p", params.min_p, 0.0F, 1.0F},
      {"repetition_penalty", params.repetition_penalty, 0.0F, 100.0F, true},
      {"presence_penalty", params.presence_penalty, -100.0F, 100.0F},
      {"frequency_penalty", params.frequency_penalty, -100.0F, 100.0F},
  };
  for (const auto& range : ranges)
    if (!holds(range)) return out_of_range(range.name);
  if (params.logprobs > static_cast<std::int32_t>(limits::top_logprobs_max)) return out_of_range("top_logprobs");
  return params;
}

}  // namespace troupe::actors
