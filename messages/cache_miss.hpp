// Why a turn of a known session took less from caches than the turn before had left there.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// OpenAI's words where it has one; the others are ours.
enum class cache_miss_reason : std::uint8_t {
  none,                      ///< everything that could be taken was
  first_turn,                ///< nothing came before; others may have left a common begin
  model_changed,
  salt_changed,
  tools_changed,
  system_changed,
  template_changed,          ///< other variables for the template
  reasoning_effort_changed,  ///< of them, the ones that say how much is reasoned
  context_compacted,         ///< by verb, or by a shorter conversation
  reasoning_stripped,        ///< the template has left out what was reasoned
  input_changed,             ///< an earlier message, or the answer, is not what it was
  worker_changed,            ///< the blocks lie at another worker
  evicted,                   ///< the prompt goes on as before, its blocks are gone
};

/// Never "unknown" for a reason of ours.
std::string_view to_string(cache_miss_reason value) noexcept;

struct cache_miss {
  cache_miss_reason reason = cache_miss_reason::none;
  std::uint32_t tokens = 0;  ///< of the prompt, that would have come from a cache
  bool operator==(const cache_miss&) const = default;
};

}  // namespace troupe
