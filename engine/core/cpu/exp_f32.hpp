// The exponential that softmax, SiLU and the sampler share. The C library's picks a variant by processor, so its last bit may
// differ between two nodes; this one is plain arithmetic in a fixed order and has the same bits everywhere.
#pragma once

#include <bit>
#include <cstdint>

namespace troupe::core {

/// e^x to about one unit in the last place. Below -87 it is 0, above 88 it stays at e^88; NaN stays NaN.
inline float exp_f32(float x) noexcept {
  const float clamped = x > 88.0F ? 88.0F : x < -87.0F ? -87.0F : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: no conversion that is undefined for NaN.
  constexpr float magic = 12582912.0F;
  const float shifted = clamped * 1.44269504F + magic;
  const float n = shifted - magic;
  // ln 2 in two parts; the first has 9 trailing zero bits, so n * it is exact.
  const float r = (clamped - n * 0.693145752F) - n * 1.42860677e-6F;
  // Taylor's series on |r| <= ln(2) / 2: the first term left out is below 2^-27.
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t exponent = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(magic) + 127U;
  const float result = p * std::bit_cast<float>(exponent << 23);
  return x < -87.0F ? 0.0F : result;
}

}  // namespace troupe::core
