// Rotary angles as Hugging Face computes them: inverse frequencies in float32, the angle as a float32 product, then its cosine and
// sine. Computed per token of a step rather than kept for every position: a table for 10 million positions would be gigabytes.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/model/model_config.hpp"

namespace troupe::core {

class rope_table {
 public:
  rope_table(const rope_config& config, std::uint32_t head_dim);
  /// `cosines`, `sines`: [head_dim / 2].
  void fill(std::uint32_t position, float* cosines, float* sines) const noexcept;
  [[nodiscard]] const std::vector<float>& inverse_frequencies() const noexcept { return inverse_frequencies_; }

 private:
  std::vector<float> inverse_frequencies_;
};

}  // namespace troupe::core
