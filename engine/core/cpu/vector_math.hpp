// What a forward pass does to single rows, over a `Simd` (see vector_product.hpp). The last, partial vector of a row is read with zeros
// behind its end, so that a row's bits depend on its own length alone.
#pragma once

#include "engine/core/cpu/kernels.hpp"

namespace troupe::core {

template <class Simd>
struct vector_math {
  using vector = typename Simd::vector;

  /// Calls f(offset, elements) for the vectors of a row.
  template <class Function>
  [[gnu::always_inline]] static void for_parts(std::uint32_t size, const Function& f) {
    std::uint32_t i = 0;
    for (; i + Simd::width <= size; i += Simd::width) f(i, Simd::width);
    if (i < size) f(i, size - i);
  }

  /// exp_f32 with fused multiply-adds.
  static vector exp(vector x) noexcept {
    const auto clamped = Simd::max(Simd::all(-87.0F), Simd::min(Simd::all(88.0F), x));  // NaN stays: the second operand wins
    const auto magic = Simd::all(12582912.0F);
    const auto shifted = Simd::fma(clamped, Simd::all(1.44269504F), magic);
    const auto n = Simd::sub(shifted, magic);
    const auto r = Simd::fma(n, Simd::all(-1.42860677e-6F), Simd::fma(n, Simd::all(-0.693145752F), clamped));
    auto p = Simd::all(1.0F / 5040.0F);
    p = Simd::fma(p, r, Simd::all(1.0F / 720.0F));
    p = Simd::fma(p, r, Simd::all(1.0F / 120.0F));
    p = Simd::fma(p, r, Simd::all(1.0F / 24.0F));
    p = Simd::fma(p, r, Simd::all(1.0F / 6.0F));
    p = Simd::fma(p, r, Simd::all(0.5F));
    p = Simd::fma(p, r, Simd::all(1.0F));
    p = Simd::fma(p, r, Simd::all(1.0F));
    return Simd::zero_below(x, Simd::all(-87.0F), Simd::mul(p, Simd::power_of_two(shifted)));
  }

  static void rms_norm(const float* in, const float* weight, float* out, std::uint32_t size, float eps) {
    auto squares = Simd::zero();
    for_parts(
        size, [&](auto i, auto count) __attribute__((always_inline)) {
          const auto x = read(in + i, count);
          squares = Simd::fma(x, x, squares);
        });
    const auto scale = Simd::all(1.0F / Simd::square_root(Simd::sum(squares) / static_cast<float>(size) + eps));
    for_parts(
        size, [&](auto i, auto count) __attribute__((always_inline)) {
          write(out + i, Simd::mul(read(weight + i, count), Simd::mul(read(in + i, count), scale)), count);
        });
  }

  static void rotate(float* head, const float* cosines, const float* sines, std::uint32_t head_dim) {
    const auto half = head_dim / 2;
    for_parts(
        half, [&](auto i, auto count) __attribute__((always_inline)) {
          const auto a = read(head + i, count), b = read(head + half + i, count);
          const auto cosine = read(cosines + i, count), sine = read(sines + i, count);
          write(head + i, Simd::sub(Simd::mul(a, cosine), Simd::mul(b, sine)), count);
          write(head + half + i, Simd::add(Simd::mul(b, cosine), Simd::mul(a, sine)), count);
        });
  }

  static void silu_multiply(const float* gate, const float* up, float* out, std::uint32_t size) {
    for_parts(
        size, [&](auto i, auto count) __attribute__((always_inline)) {
          const auto x = read(gate + i, count);
          const auto active = Simd::div(x, Simd::add(Simd::all(1.0F), exp(Simd::sub(Simd::zero(), x))));
          write(out + i, Simd::mul(active, read(up + i, count)), count);
        });
  }

  static void add(float* into, const float* from, std::uint32_t size) {
    for_parts(
        size, [&](auto i, auto count)
                  __attribute__((always_inline)) { write(into + i, Simd::add(read(into + i, count), read(from + i, count)), count); });
  }

  [[gnu::always_inline]] static vector read(const float* from, std::uint32_t count) noexcept {
    return count == Simd::width ? Simd::load(from) : Simd::load_part(from, count);
  }
  [[gnu::always_inline]] static void write(float* into, vector value, std::uint32_t count) noexcept {
    if (count == Simd::width) return Simd::store(into, value);
    Simd::store_part(into, value, count);
  }
};

}  // namespace troupe::core
