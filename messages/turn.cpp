#include "messages/turn.hpp"

#include <limits>

namespace troupe {

sampling_wish::sampling_wish() {
  constexpr float unset = std::numeric_limits<float>::quiet_NaN();
  temperature = top_p = min_p = repetition_penalty = presence_penalty = frequency_penalty = unset;
}

}  // namespace troupe
