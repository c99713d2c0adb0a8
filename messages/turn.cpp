#include "messages/turn.hpp"

#include <bit>
#include <limits>

namespace troupe {

sampling_wish::sampling_wish() {
  constexpr float unset = std::numeric_limits<float>::quiet_NaN();
  temperature = top_p = min_p = repetition_penalty = presence_penalty = frequency_penalty = unset;
}

bool sampling_wish::operator==(const sampling_wish& other) const noexcept {
  const auto same = [](float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); };
  return same(temperature, other.temperature) && same(top_p, other.top_p) && same(min_p, other.min_p) &&
         same(repetition_penalty, other.repetition_penalty) && same(presence_penalty, other.presence_penalty) &&
         same(frequency_penalty, other.frequency_penalty) && top_k == other.top_k && logprobs == other.logprobs && seed == other.seed &&
         has_seed == other.has_seed;
}

}  // namespace troupe
