#include "engine/core/cpu/kv_pool.hpp"

namespace troupe::core {

expected<kv_pool> kv_pool::allocate(const model_config& config, const options& options) {
  // 4096: the bound of block_hasher. 2^26: two billion default tokens, and per-block bookkeeping stays below 1 GiB.
  if (options.block_tokens < 1 || options.block_tokens > 4096) {
    return failure{errc::invalid_request, "block_tokens must be in [1, 4096]", "block_tokens"};
  }
  if (options.block_count < 1 || options.block_count > 1U << 26) {
    return failure{errc::invalid_request, "block_count must be in [1, 2^26]", "block_count"};
  }
  kv_pool pool;
  pool.block_count_ = options.block_count;
  pool.block_tokens_ = options.block_tokens;
  pool.element_bytes_ = options.element_bytes;
  pool.kv_heads_ = config.kv_heads;
  pool.head_elements_ = std::uint64_t{options.block_tokens} * config.head_dim;
  pool.block_elements_ = 2 * std::uint64_t{config.layers} * config.kv_heads * pool.head_elements_;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(pool.block_bytes(), std::uint64_t{options.block_count}, &bytes)) bytes = UINT64_MAX;
  auto memory = memory_region::allocate(bytes);
  if (!memory) return memory.error();
  pool.memory_ = std::move(*memory);
  return pool;
}

}  // namespace troupe::core
