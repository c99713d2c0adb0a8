// float16 and bfloat16 to float32 and back, in integer arithmetic: the same bits on every processor. Rounds to nearest,
// ties to even; NaN stays NaN, what is too large becomes infinity.
#pragma once

#include <bit>
#include <cstdint>

namespace troupe::core {

constexpr float bf16_to_f32(std::uint16_t half) noexcept { return std::bit_cast<float>(std::uint32_t{half} << 16); }

constexpr std::uint16_t f32_to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // A NaN whose payload lies in the low half would round to infinity: keep it quiet instead.
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

constexpr float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fU;
  std::uint32_t mantissa = half & 0x3ffU;
  if (exponent == 0x1fU) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  // Subnormal: shift the leading bit to where float32 keeps it implicit.
  const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21U;
  mantissa = (mantissa << shift) & 0x3ffU;
  return std::bit_cast<float>(sign | ((113U - shift) << 23) | (mantissa << 13));
}

constexpr std::uint16_t f32_to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520 and above round to infinity
  if (magnitude >= 0x38800000U) {                                                   // 2^-14: normal in float16
    const std::uint32_t rebased = magnitude - (112U << 23);
    return static_cast<std::uint16_t>(sign | ((rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13));
  }
  if (magnitude <= 0x33000000U) return sign;  // 2^-25 and below: half of the smallest subnormal, ties to zero
  const std::uint32_t shift = 126U - (magnitude >> 23);
  const std::uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
  const std::uint32_t half = std::uint32_t{1} << (shift - 1);
  return static_cast<std::uint16_t>(sign | ((mantissa + half - 1 + ((mantissa >> shift) & 1U)) >> shift));
}

}  // namespace troupe::core
