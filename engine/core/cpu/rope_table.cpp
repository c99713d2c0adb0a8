#include "engine/core/cpu/rope_table.hpp"

#include <cmath>
#include <numbers>

namespace troupe::core {
namespace {

/// Llama 3's context extension: long wavelengths are stretched by `factor`, short ones kept, those between blended by how
/// often they turn within the original context.
float stretch_llama3(float frequency, const rope_config& config) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double turns = config.original_context / wavelength;
  if (turns < config.low_freq_factor) return static_cast<float>(frequency / config.factor);
  if (turns > config.high_freq_factor) return frequency;
  const double blend = (turns - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor);
  return static_cast<float>((1 - blend) * frequency / config.factor + blend * frequency);
}

}  // namespace

rope_table::rope_table(const rope_config& config, std::uint32_t head_dim) {
  for (std::uint32_t i = 0; i < head_dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
    const float power = static_cast<float>(std::pow(config.theta, static_cast<double>(exponent)));
    float frequency = 1.0F / power;
    if (config.kind == rope_config::scaling::linear) frequency = static_cast<float>(frequency / config.factor);
    if (config.kind == rope_config::scaling::llama3) frequency = stretch_llama3(frequency, config);
    inverse_frequencies_.push_back(frequency);
  }
}

void rope_table::fill(std::uint32_t position, float* cosines, float* sines) const noexcept {
  for (std::size_t i = 0; i < inverse_frequencies_.size(); ++i) {
    const float angle = static_cast<float>(position) * inverse_frequencies_[i];
    // In double and rounded once: float32 variants of the C library differ in the last bit.
    cosines[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sines[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

}  // namespace troupe::core
