// Compiled for AVX2 and FMA: nothing here may run, and no inline function shared with other files may be emitted, where the
// processor lacks them.
#if defined(__x86_64__)
#include <immintrin.h>

#include "engine/core/cpu/kernel_tables.hpp"
#include "engine/core/cpu/vector_attention.hpp"

namespace troupe::core {
namespace {

struct avx2 {
  using vector = __m256;
  static constexpr std::uint32_t width = 8, tile_rows = 6;
  /// 16 registers: at most 12 sums, the weights, the input.
  template <std::uint32_t Rows>
  static constexpr std::uint32_t tile_vectors = Rows == 1   ? 8
                                                : Rows <= 3 ? 4
                                                            : 2;

  static vector zero() noexcept { return _mm256_setzero_ps(); }
  static vector all(float x) noexcept { return _mm256_set1_ps(x); }
  static vector load(const float* from) noexcept { return _mm256_loadu_ps(from); }
  static void store(float* into, vector x) noexcept { _mm256_storeu_ps(into, x); }
  static __m256i mask(std::uint32_t count) noexcept {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static vector load_part(const float* from, std::uint32_t count) noexcept { return _mm256_maskload_ps(from, mask(count)); }
  static void store_part(float* into, vector x, std::uint32_t count) noexcept { _mm256_maskstore_ps(into, mask(count), x); }
  static vector keep(vector x, std::uint32_t count, float other) noexcept {
    return _mm256_blendv_ps(all(other), x, _mm256_castsi256_ps(mask(count)));
  }
  static vector fma(vector a, vector b, vector c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static vector add(vector a, vector b) noexcept { return _mm256_add_ps(a, b); }
  static vector sub(vector a, vector b) noexcept { return _mm256_sub_ps(a, b); }
  static vector mul(vector a, vector b) noexcept { return _mm256_mul_ps(a, b); }
  static vector div(vector a, vector b) noexcept { return _mm256_div_ps(a, b); }
  static vector min(vector a, vector b) noexcept { return _mm256_min_ps(a, b); }
  static vector max(vector a, vector b) noexcept { return _mm256_max_ps(a, b); }
  static float first(vector x) noexcept { return _mm256_cvtss_f32(x); }
  static float square_root(float x) noexcept { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
  /// 2^n of the n that adding 1.5 * 2^23 left in the low bits.
  static vector power_of_two(vector shifted) noexcept {
    const auto n = _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127 - 0x4b400000));
    return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23));
  }
  static vector zero_below(vector x, vector limit, vector value) noexcept {
    return _mm256_and_ps(_mm256_cmp_ps(x, limit, _CMP_NLT_UQ), value);
  }
  /// Lane i and lane i + 4, then 2, 1 apart.
  static float sum(vector x) noexcept {
    const auto four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const auto two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float largest(vector x) noexcept {
    const auto four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const auto two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  static void transpose(vector (&x)[8]) noexcept {
    vector pairs[8], fours[8];
    for (int i = 0; i < 8; i += 2) {
      pairs[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
      fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
      fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
      fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int j = 0; j < 4; ++j) {
      x[j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x20);
      x[4 + j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x31);
    }
  }

  struct stored_f32 {
    using element = float;
    template <std::uint32_t V>
    [[gnu::always_inline]] static void read(const float* from, vector (&into)[V]) noexcept {
      unroll<V>([&](auto v) __attribute__((always_inline)) { into[v] = _mm256_loadu_ps(from + 8 * v); });
    }
    static constexpr std::uint32_t column(std::uint32_t v) noexcept { return 8 * v; }
    static vector load(const float* from, std::uint32_t count) noexcept { return vector_math<avx2>::read(from, count); }
    static void store_kv(const float* from, void* to, std::uint32_t size) {
      using math = vector_math<avx2>;
      math::for_parts(size, [&](auto i, auto count) { math::write(static_cast<float*>(to) + i, math::read(from + i, count), count); });
    }
  };

  struct stored_bf16 {
    using element = std::uint16_t;
    /// Panels are interleaved, see packed_matrix.hpp: a register holds 8 outputs and the 8 that are 16 further on.
    template <std::uint32_t V>
    [[gnu::always_inline]] static void read(const element* from, vector (&into)[V]) noexcept {
      unroll<V / 2>([&](auto i) __attribute__((always_inline)) {
        const auto both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 16 * i));
        into[2 * i] = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
        into[2 * i + 1] = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
      });
    }
    static constexpr std::uint32_t column(std::uint32_t v) noexcept { return v / 4 * 32 + v % 4 / 2 * 8 + v % 2 * 16; }
    static vector load(const element* from, std::uint32_t count) noexcept {
      alignas(16) element part[width] = {};
      if (count < width) {
        for (std::uint32_t i = 0; i < count; ++i) part[i] = from[i];
        from = part;
      }
      const auto half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
    }
    static void store_kv(const float* from, void* to, std::uint32_t size) {
      vector_math<avx2>::for_parts(size, [&](auto i, auto count) {
        auto* into = static_cast<element*>(to) + i;
        const auto half = rounded(vector_math<avx2>::read(from + i, count));
        if (count == width) return _mm_storeu_si128(reinterpret_cast<__m128i*>(into), half);
        alignas(16) element part[width];
        _mm_store_si128(reinterpret_cast<__m128i*>(part), half);
        for (std::uint32_t j = 0; j < count; ++j) into[j] = part[j];
      });
    }
    /// To nearest even; a NaN becomes quiet.
    static __m128i rounded(vector x) noexcept {
      const auto bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
      const auto odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
      const auto nearest = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
      const auto is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
      const auto chosen = _mm256_blendv_epi8(nearest, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), is_nan);
      return _mm_packus_epi32(_mm256_castsi256_si128(chosen), _mm256_extracti128_si256(chosen, 1));
    }
  };
};

template <class Stored>
constexpr kernel_table table(std::string_view name, numeric_type type, void (*embed)(const matrix&, token_id, float*)) {
  using math = vector_math<avx2>;
  return {name,
          type,
          vector_product<avx2, Stored>::matmul,
          embed,
          math::rms_norm,
          math::rotate,
          Stored::store_kv,
          vector_attention<avx2, Stored>::attend,
          math::silu_multiply,
          math::add};
}

}  // namespace

const kernel_table avx2_f32_table = table<avx2::stored_f32>("avx2-f32", numeric_type::f32, embed_f32);
const kernel_table avx2_bf16_table = table<avx2::stored_bf16>("avx2-bf16", numeric_type::bf16, embed_bf16);

}  // namespace troupe::core
#endif
