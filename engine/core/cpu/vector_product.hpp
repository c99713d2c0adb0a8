// The one inner loop of matrix products and attention: some rows of input times a panel of outputs that lie side by side, one
// accumulator per output, summed over k in ascending order by fused multiply-adds. A row's bits are the same in every tile.
//
// Templates over a `Simd` of an unnamed namespace: each instruction set gets functions of its own that no other file can be linked to.
// For the same reason nothing here calls inline functions of the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "engine/core/cpu/kernels.hpp"
#include "engine/core/model/packed_matrix.hpp"

namespace troupe::core {

/// Calls f(integral_constant 0), ..., f(integral_constant N - 1). Loops over registers must vanish before the compiler places them.
template <std::uint32_t N, class Function>
[[gnu::always_inline]] inline void unroll(const Function& f) {
  const auto all = [&]<std::uint32_t... i>(std::integer_sequence<std::uint32_t, i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<std::uint32_t, i>{}), ...);
  };
  all(std::make_integer_sequence<std::uint32_t, N>{});
}

template <class Simd, class Stored>
struct vector_product {
  using vector = typename Simd::vector;
  using element = typename Stored::element;

  /// 2 KiB of bf16 ahead: the latency of memory at the pace of one processor.
  static constexpr std::size_t prefetch_rows = 16;

  struct operands {
    const float* in;  ///< [R][depth]
    std::size_t in_stride;
    std::size_t depth;
    const element* weights;  ///< [depth][columns]
    std::size_t weights_stride;
    float* out;  ///< [R][columns]
    std::size_t out_stride;
    std::uint32_t columns;  ///< a multiple of panel_width
  };

  /// out = in * weights for R rows. Each pass takes as many columns as there are registers for.
  template <std::uint32_t R>
  static void multiply(const operands& o) noexcept {
    constexpr auto V = Simd::template tile_vectors<R>;
    for (std::uint32_t column = 0; column < o.columns; column += V * Simd::width) {
      vector sum[R][V];
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) { sum[r][v] = Simd::zero(); });
      });
      const element* weights = o.weights + column;
      // Whole panels: the first pass brings them from memory, the others from L2.
      const element* ahead = o.weights + prefetch_rows * o.weights_stride;
      for (std::size_t k = 0; k < o.depth; ++k, weights += o.weights_stride, ahead += o.weights_stride) {
        unroll<panel_width * sizeof(element) / 64>([&](auto line) __attribute__((always_inline)) {
          __builtin_prefetch(reinterpret_cast<const std::byte*>(ahead) + 64 * line, 0, 3);
        });
        vector row[V];
        Stored::template read<V>(weights, row);
        unroll<R>([&](auto r) __attribute__((always_inline)) {
          const vector value = Simd::all(o.in[r * o.in_stride + k]);
          unroll<V>([&](auto v) __attribute__((always_inline)) { sum[r][v] = Simd::fma(value, row[v], sum[r][v]); });
        });
      }
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) {
          Simd::store(o.out + r * o.out_stride + column / 32 * 32 + Stored::column(column % 32 / Simd::width + v), sum[r][v]);
        });
      });
    }
  }

  using function = void (*)(const operands&) noexcept;

  /// multiply<rows>, rows in [1, Simd::tile_rows].
  static function for_rows(std::uint32_t rows) noexcept {
    static constexpr auto functions = []<std::uint32_t... i>(std::integer_sequence<std::uint32_t, i...>) {
      struct {
        function at[sizeof...(i)];
      } all{{multiply<i + 1>...}};
      return all;
    }
    (std::make_integer_sequence<std::uint32_t, Simd::tile_rows>{});
    return functions.at[rows - 1];
  }

  /// kernel_table::matmul.
  static void matmul(const matmul_args& args, std::uint32_t panel_begin, std::uint32_t panel_end) {
    const std::size_t depth = args.weights.columns;
    // Tiles of equal height: 16 rows are 8 and 8.
    const auto tiles = (args.rows + Simd::tile_rows - 1) / Simd::tile_rows, height = (args.rows + tiles - 1) / tiles;
    alignas(64) float out[Simd::tile_rows * panel_width];
    for (auto panel = panel_begin; panel < panel_end; ++panel) {
      const auto first = panel * panel_width;
      const auto left = args.weights.rows - first, count = left < panel_width ? left : panel_width;
      const auto* weights = static_cast<const element*>(args.weights.data) + std::size_t{first} * depth;
      for (std::uint32_t m = 0; m < args.rows; m += height) {
        const auto rows = args.rows - m < height ? args.rows - m : height;
        for_rows(rows)({args.in + m * args.in_stride, args.in_stride, depth, weights, panel_width, out, panel_width, panel_width});
        for (std::uint32_t r = 0; r < rows; ++r) {
          finish(out + r * panel_width, args.bias == nullptr ? nullptr : args.bias + first, args.out + (m + r) * args.out_stride + first,
                 count);
        }
      }
    }
  }

 private:
  static void finish(const float* sum, const float* bias, float* out, std::uint32_t count) noexcept {
    for (std::uint32_t i = 0; i < count; i += Simd::width) {
      const auto part = count - i < Simd::width ? count - i : Simd::width;
      const auto value = Simd::load(sum + i);
      Simd::store_part(out + i, bias == nullptr ? value : Simd::add(value, Simd::load_part(bias + i, part)), part);
    }
  }
};

}  // namespace troupe::core
