// Compiled for AVX-512 F, BW, DQ and VL: nothing here may run, and no inline function shared with other files may be emitted, where
// the processor lacks them. vdpbf16ps is not used: it rounds otherwise, and one table is one numeric class.
#if defined(__x86_64__)
#include <immintrin.h>

#include "engine/core/cpu/kernel_tables.hpp"
#include "engine/core/cpu/vector_attention.hpp"

namespace troupe::core {
namespace {

struct avx512 {
  using vector = __m512;
  static constexpr std::uint32_t width = 16, tile_rows = 12;
  /// 32 registers: 24 sums, the weights, the input.
  template <std::uint32_t Rows>
  static constexpr std::uint32_t tile_vectors = Rows <= 6 ? 4 : 2;

  static vector zero() noexcept { return _mm512_setzero_ps(); }
  static vector all(float x) noexcept { return _mm512_set1_ps(x); }
  static vector load(const float* from) noexcept { return _mm512_loadu_ps(from); }
  static void store(float* into, vector x) noexcept { _mm512_storeu_ps(into, x); }
  static __mmask16 mask(std::uint32_t count) noexcept { return static_cast<__mmask16>((1U << count) - 1); }
  static vector load_part(const float* from, std::uint32_t count) noexcept { return _mm512_maskz_loadu_ps(mask(count), from); }
  static void store_part(float* into, vector x, std::uint32_t count) noexcept { _mm512_mask_storeu_ps(into, mask(count), x); }
  static vector keep(vector x, std::uint32_t count, float other) noexcept { return _mm512_mask_blend_ps(mask(count), all(other), x); }
  static vector fma(vector a, vector b, vector c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static vector add(vector a, vector b) noexcept { return _mm512_add_ps(a, b); }
  static vector sub(vector a, vector b) noexcept { return _mm512_sub_ps(a, b); }
  static vector mul(vector a, vector b) noexcept { return _mm512_mul_ps(a, b); }
  static vector div(vector a, vector b) noexcept { return _mm512_div_ps(a, b); }
  static vector min(vector a, vector b) noexcept { return _mm512_min_ps(a, b); }
  static vector max(vector a, vector b) noexcept { return _mm512_max_ps(a, b); }
  static float first(vector x) noexcept { return _mm512_cvtss_f32(x); }
  static float square_root(float x) noexcept { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
  /// 2^n of the n that adding 1.5 * 2^23 left in the low bits.
  static vector power_of_two(vector shifted) noexcept {
    const auto n = _mm512_add_epi32(_mm512_castps_si512(shifted), _mm512_set1_epi32(127 - 0x4b400000));
    return _mm512_castsi512_ps(_mm512_slli_epi32(n, 23));
  }
  static vector zero_below(vector x, vector limit, vector value) noexcept {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), value);
  }
  /// Lane i and lane i + 8, then 4, 2, 1 apart.
  static float sum(vector x) noexcept {
    const auto eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const auto four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const auto two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float largest(vector x) noexcept { return _mm512_reduce_max_ps(x); }

  static void transpose(vector (&x)[16]) noexcept {
    vector pairs[16], fours[16];
    for (int i = 0; i < 16; i += 2) {
      pairs[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
      pairs[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    const auto low = [](vector a, vector b) { return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))); };
    const auto high = [](vector a, vector b) { return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))); };
    for (int i = 0; i < 16; i += 4) {
      fours[i] = low(pairs[i], pairs[i + 2]);
      fours[i + 1] = high(pairs[i], pairs[i + 2]);
      fours[i + 2] = low(pairs[i + 1], pairs[i + 3]);
      fours[i + 3] = high(pairs[i + 1], pairs[i + 3]);
    }
    // fours[4 i + j] holds columns j, j + 4, j + 8, j + 12 of rows 4 i to 4 i + 3.
    for (int j = 0; j < 4; ++j) {
      const auto a = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0x44), b = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0xee);
      const auto c = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0x44), d = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0xee);
      x[j] = _mm512_shuffle_f32x4(a, c, 0x88);
      x[4 + j] = _mm512_shuffle_f32x4(a, c, 0xdd);
      x[8 + j] = _mm512_shuffle_f32x4(b, d, 0x88);
      x[12 + j] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
  }

  struct stored_f32 {
    using element = float;
    template <std::uint32_t V>
    [[gnu::always_inline]] static void read(const float* from, vector (&into)[V]) noexcept {
      unroll<V>([&](auto v) __attribute__((always_inline)) { into[v] = _mm512_loadu_ps(from + 16 * v); });
    }
    static constexpr std::uint32_t column(std::uint32_t v) noexcept { return 16 * v; }
    static vector load(const float* from, std::uint32_t count) noexcept { return vector_math<avx512>::read(from, count); }
    static void store_kv(const float* from, void* to, std::uint32_t size) {
      using math = vector_math<avx512>;
      math::for_parts(size, [&](auto i, auto count) { math::write(static_cast<float*>(to) + i, math::read(from + i, count), count); });
    }
  };

  struct stored_bf16 {
    using element = std::uint16_t;
    /// Panels are interleaved, see packed_matrix.hpp.
    template <std::uint32_t V>
    [[gnu::always_inline]] static void read(const element* from, vector (&into)[V]) noexcept {
      unroll<V / 2>([&](auto i) __attribute__((always_inline)) {
        const auto both = _mm512_loadu_si512(from + 32 * i);
        into[2 * i] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
        into[2 * i + 1] = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
      });
    }
    static constexpr std::uint32_t column(std::uint32_t v) noexcept { return 16 * v; }
    static vector load(const element* from, std::uint32_t count) noexcept {
      const auto half =
          count == width ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)) : _mm256_maskz_loadu_epi16(mask(count), from);
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
    static void store_kv(const float* from, void* to, std::uint32_t size) {
      vector_math<avx512>::for_parts(size, [&](auto i, auto count) {
        _mm256_mask_storeu_epi16(static_cast<element*>(to) + i, mask(count), rounded(vector_math<avx512>::read(from + i, count)));
      });
    }
    /// To nearest even; a NaN becomes quiet.
    static __m256i rounded(vector x) noexcept {
      const auto bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
      const auto odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
      const auto nearest = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
      const auto is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
      return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(nearest, is_nan, high, _mm512_set1_epi32(0x40)));
    }
  };
};

template <class Stored>
constexpr kernel_table table(std::string_view name, numeric_type type, void (*embed)(const matrix&, token_id, float*)) {
  using math = vector_math<avx512>;
  return {name,
          type,
          vector_product<avx512, Stored>::matmul,
          embed,
          math::rms_norm,
          math::rotate,
          Stored::store_kv,
          vector_attention<avx512, Stored>::attend,
          math::silu_multiply,
          math::add};
}

}  // namespace

const kernel_table avx512_f32_table = table<avx512::stored_f32>("avx512-f32", numeric_type::f32, embed_f32);
const kernel_table avx512_bf16_table = table<avx512::stored_bf16>("avx512-bf16", numeric_type::bf16, embed_bf16);

}  // namespace troupe::core
#endif
