// The KV memory of one CPU device: [block][layer][k|v][kv_head][token][head_dim], the layout of every tier, so that a block moves
// between tiers as one run of bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/core/model/memory_region.hpp"
#include "engine/core/model/model_config.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

class kv_pool {
 public:
  struct options {
    std::uint32_t block_count = 0, block_tokens = 32;
    std::uint32_t element_bytes = 4;  ///< bytes_of the weights' type
  };
  /// Fails with invalid_request (a count is 0 or too large) or io_failed (no memory).
  static expected<kv_pool> allocate(const model_config& config, const options& options);

  [[nodiscard]] std::uint32_t block_count() const noexcept { return block_count_; }
  [[nodiscard]] std::uint32_t block_tokens() const noexcept { return block_tokens_; }
  [[nodiscard]] std::uint64_t block_bytes() const noexcept { return block_elements_ * element_bytes_; }
  [[nodiscard]] std::uint64_t block_elements() const noexcept { return block_elements_; }
  /// Token 0 of one head in one block.
  [[nodiscard]] std::byte* keys(block_index block, std::uint32_t layer, std::uint32_t kv_head) const noexcept {
    return at(block, 2 * layer, kv_head);
  }
  [[nodiscard]] std::byte* values(block_index block, std::uint32_t layer, std::uint32_t kv_head) const noexcept {
    return at(block, 2 * layer + 1, kv_head);
  }
  void copy(block_index from, block_index to) const noexcept {
    if (from != to) std::memcpy(memory_.data() + to * block_bytes(), memory_.data() + from * block_bytes(), block_bytes());
  }
  /// `host` points at block_bytes() bytes.
  void read(block_index block, std::byte* host) const noexcept { std::memcpy(host, memory_.data() + block * block_bytes(), block_bytes()); }
  void write(block_index block, const std::byte* host) const noexcept {
    std::memcpy(memory_.data() + block * block_bytes(), host, block_bytes());
  }

 private:
  kv_pool() = default;
  [[nodiscard]] std::byte* at(block_index block, std::uint32_t plane, std::uint32_t kv_head) const noexcept {
    return memory_.data() + element_bytes_ * (block * block_elements_ + (std::uint64_t{plane} * kv_heads_ + kv_head) * head_elements_);
  }

  memory_region memory_;
  std::uint32_t block_count_ = 0, block_tokens_ = 0, element_bytes_ = 0, kv_heads_ = 0;
  std::uint64_t head_elements_ = 0, block_elements_ = 0;
};

}  // namespace troupe::core
