#include "gateway/answer_writer.hpp"

namespace troupe::gateway {

std::uint32_t cache_written_tokens(const answer_shape& shape, const turn_usage& usage) noexcept {
  if (shape.block_tokens == 0 || usage.prompt_tokens == 0) return 0;
  const auto kept = (usage.prompt_tokens - 1) / shape.block_tokens * shape.block_tokens;
  return kept > usage.cached_tokens ? kept - usage.cached_tokens : 0;
}

}  // namespace troupe::gateway
