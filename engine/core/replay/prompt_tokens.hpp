// The prompts of a recorded workload as token ids. A trace says only which blocks are equal, so a block's first tokens spell its number
// in the base of the vocabulary: equal blocks have equal tokens, different ones differ.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::core::replay {

class prompt_tokens {
 public:
  /// Ids are below `vocabulary`. Failure: invalid_request, when blocks of this width cannot all differ.
  static expected<prompt_tokens> make(const recorded_trace& trace, std::uint32_t vocabulary);

  /// The request's blocks, and what it has beyond its last full block: those tokens are `salt`'s alone. Never empty.
  void write(const recorded_request& request, std::uint64_t salt, std::vector<token_id>& into) const;

 private:
  prompt_tokens(const recorded_trace& trace, std::uint32_t vocabulary, std::uint32_t digits)
      : trace_(&trace), vocabulary_(vocabulary), digits_(digits) {}
  [[nodiscard]] token_id draw(std::uint64_t seed, std::uint64_t position) const;

  const recorded_trace* trace_;  ///< outlives this
  std::uint32_t vocabulary_;
  std::uint32_t digits_;  ///< tokens at the start of a block that spell its number; the rest is drawn
};

}  // namespace troupe::core::replay
