// Conversions, the exponential, the kernels one by one, and the pool that runs them.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "engine/core/cpu/compute_pool.hpp"
#include "engine/core/cpu/exp_f32.hpp"
#include "engine/core/cpu/kernels.hpp"
#include "engine/core/cpu/rope_table.hpp"
#include "engine/core/model/half.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

/// The value of a float16 by its definition: sign, 5 bits of exponent, 10 of mantissa.
double f16_value(std::uint32_t half) {
  const int exponent = static_cast<int>(half >> 10 & 31U);
  const double mantissa = half & 1023U;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000U) != 0 ? -magnitude : magnitude;
}

}  // namespace

TEST_CASE("every float16 becomes its float32 and comes back") {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float wide = f16_to_f32(static_cast<std::uint16_t>(half));
    if ((half & 0x7fffU) > 0x7c00U) {
      REQUIRE(std::isnan(wide));
      REQUIRE(std::isnan(f16_to_f32(f32_to_f16(wide))));
      continue;
    }
    if ((half & 0x7fffU) == 0x7c00U) {
      REQUIRE(std::isinf(wide));
    } else {
      REQUIRE(static_cast<double>(wide) == f16_value(half));
    }
    REQUIRE(f32_to_f16(wide) == half);
  }
}

TEST_CASE("float32 rounds to the nearest float16, ties to even") {
  for (std::uint32_t half = 0; half + 1 < 0x7c00U; ++half) {
    const auto low = static_cast<std::uint16_t>(half), high = static_cast<std::uint16_t>(half + 1);
    const auto middle = static_cast<float>((f16_value(low) + f16_value(high)) / 2);
    REQUIRE(f32_to_f16(middle) == (half % 2 == 0 ? low : high));
    REQUIRE(f32_to_f16(std::nextafter(middle, 0.0F)) == low);
    REQUIRE(f32_to_f16(std::nextafter(middle, 1e9F)) == high);
    REQUIRE(f32_to_f16(-middle) == (f32_to_f16(middle) | 0x8000U));
  }
  CHECK(f32_to_f16(65519.99F) == 0x7bffU);
  CHECK(f32_to_f16(65520.0F) == 0x7c00U);
  CHECK(f32_to_f16(std::numeric_limits<float>::infinity()) == 0x7c00U);
}

TEST_CASE("bfloat16 keeps the high half and rounds the rest to even") {
  CHECK(bf16_to_f32(0x3f80) == 1.0F);
  CHECK(f32_to_bf16(1.0F) == 0x3f80);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808000U)) == 0x3f80);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808001U)) == 0x3f81);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f818000U)) == 0x3f82);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001U)))));
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float wide = bf16_to_f32(static_cast<std::uint16_t>(half));
    if (!std::isnan(wide)) REQUIRE(f32_to_bf16(wide) == half);
  }
}

TEST_CASE("the exponential is within two units of the last place") {
  double worst = 0;
  for (float x = -86.9F; x < 87.9F; x += 0.00137F) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(exp_f32(x)) - exact) / exact);
  }
  CHECK(worst < 2.4e-7);
  CHECK(exp_f32(0) == 1.0F);
  CHECK(exp_f32(-88) == 0.0F);
  CHECK(exp_f32(-std::numeric_limits<float>::infinity()) == 0.0F);
  CHECK(exp_f32(1e30F) == exp_f32(88));
  CHECK(std::isfinite(exp_f32(88)));
  CHECK(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("rotation pairs each element with the one half a head away") {
  const rope_table table({}, 4);
  CHECK(table.inverse_frequencies() == std::vector<float>{1.0F, 0.01F});
  float cosines[2], sines[2], head[4] = {1, 2, 3, 4};
  table.fill(0, cosines, sines);
  find_kernels(numeric_type::f32, instruction_set::scalar)->rotate(head, cosines, sines, 4);
  CHECK(std::vector<float>(head, head + 4) == std::vector<float>{1, 2, 3, 4});
  table.fill(3, cosines, sines);
  find_kernels(numeric_type::f32, instruction_set::scalar)->rotate(head, cosines, sines, 4);
  CHECK(head[0] == doctest::Approx(std::cos(3.0) - 3 * std::sin(3.0)));
  CHECK(head[2] == doctest::Approx(3 * std::cos(3.0) + std::sin(3.0)));
  CHECK(head[1] == doctest::Approx(2 * std::cos(0.03) - 4 * std::sin(0.03)));
  CHECK(head[3] == doctest::Approx(4 * std::cos(0.03) + 2 * std::sin(0.03)));
}

TEST_CASE("a compute pool calls each chunk exactly once") {
  for (const std::uint32_t threads : {1U, 2U, 5U}) {
    compute_pool pool(threads);
    CHECK(pool.threads() == threads);
    for (const std::size_t chunks : {0U, 1U, 2U, 3U, 1000U}) {
      std::vector<std::atomic<int>> calls(chunks);
      pool.parallel_for(chunks, [&](std::size_t chunk) { ++calls[chunk]; });
      CHECK(std::all_of(calls.begin(), calls.end(), [](const auto& count) { return count == 1; }));
    }
  }
}

TEST_CASE("several threads share a compute pool") {
  compute_pool pool(3);
  std::array<std::uint64_t, 4> sums{};
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < sums.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 300; ++round) {
        std::array<std::uint64_t, 17> parts{};
        pool.parallel_for(parts.size(), [&](std::size_t chunk) { parts[chunk] = chunk + caller; });
        for (const auto part : parts) sums[caller] += part;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  for (std::size_t caller = 0; caller < sums.size(); ++caller) CHECK(sums[caller] == 300 * (136 + 17 * caller));
}
