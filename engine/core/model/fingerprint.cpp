#include "engine/core/model/fingerprint.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <memory>

namespace troupe::core {
namespace {

// 16 samples of 64 bytes from each tensor: a fine-tune moves nearly every weight, and the whole costs one page fault per sample.
constexpr std::size_t samples = 16;
constexpr std::size_t sample_bytes = 64;

class digest {
 public:
  digest() { XXH3_64bits_reset(&state_); }
  void add(const void* data, std::size_t bytes) {
    const std::uint64_t length = bytes;  // before each part: parts cannot run into each other
    XXH3_64bits_update(&state_, &length, sizeof length);
    XXH3_64bits_update(&state_, data, bytes);
  }
  [[nodiscard]] std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace

std::uint64_t fingerprint(std::string_view config_text, const safetensors& tensors) {
  const auto parts = std::make_unique<digest>();
  parts->add(config_text.data(), config_text.size());
  for (const auto header : tensors.headers()) parts->add(header.data(), header.size());
  for (const auto& [name, tensor] : tensors.tensors()) {
    const auto bytes = std::min(sample_bytes, tensor.data.size());
    const auto room = tensor.data.size() - bytes;
    for (std::size_t i = 0; i < samples; ++i) parts->add(tensor.data.data() + room / (samples - 1) * i, bytes);
  }
  return parts->value();
}

}  // namespace troupe::core
