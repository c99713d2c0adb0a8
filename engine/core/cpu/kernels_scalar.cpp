// Portable float arithmetic over float32 and bfloat16 storage, written as plainly as it can be: the twin of the vector kernels. Sums of
// squares and of scores run in 16 lanes that are added pairwise at the end, so that the compiler may use what registers there are.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/core/cpu/exp_f32.hpp"
#include "engine/core/cpu/kernel_tables.hpp"
#include "engine/core/model/half.hpp"
#include "engine/core/model/packed_matrix.hpp"

namespace troupe::core {
namespace {

constexpr std::uint32_t lanes = 16;

/// How K, V and matrices are stored.
struct stored_f32 {
  using element = float;
  static float widen(float value) { return value; }
  static float narrow(float value) { return value; }
  static std::uint32_t lane(std::uint32_t output) { return lane_f32(output); }
};
struct stored_bf16 {
  using element = std::uint16_t;
  static float widen(std::uint16_t value) { return bf16_to_f32(value); }
  static std::uint16_t narrow(float value) { return f32_to_bf16(value); }
  static std::uint32_t lane(std::uint32_t output) { return lane_bf16(output); }
};

/// sum_k a[k] * b[k]: lane j takes k = j mod 16 in ascending order.
template <class Stored>
float dot(const float* a, const typename Stored::element* b, std::uint32_t size) {
  float sum[lanes] = {};
  std::uint32_t k = 0;
  for (; k + lanes <= size; k += lanes) {
    for (std::uint32_t j = 0; j < lanes; ++j) sum[j] += a[k + j] * Stored::widen(b[k + j]);
  }
  for (std::uint32_t j = 0; k < size; ++k, ++j) sum[j] += a[k] * Stored::widen(b[k]);
  for (std::uint32_t width = lanes / 2; width > 0; width /= 2) {
    for (std::uint32_t j = 0; j < width; ++j) sum[j] += sum[j + width];
  }
  return sum[0];
}

template <class Stored>
void matmul(const matmul_args& args, std::uint32_t panel_begin, std::uint32_t panel_end) {
  const std::size_t depth = args.weights.columns;
  const auto* weights = static_cast<const typename Stored::element*>(args.weights.data);
  for (auto panel = panel_begin; panel < panel_end; ++panel) {
    const auto first = panel * panel_width, count = std::min(panel_width, args.weights.rows - first);
    const auto* begin = weights + panel * panel_width * depth;
    for (std::uint32_t m = 0; m < args.rows; ++m) {
      float sum[panel_width] = {};
      for (std::size_t k = 0; k < depth; ++k) {
        const float value = args.in[m * args.in_stride + k];
        for (std::uint32_t j = 0; j < panel_width; ++j) sum[j] += value * Stored::widen(begin[k * panel_width + j]);
      }
      float* out = args.out + m * args.out_stride + first;
      for (std::uint32_t j = 0; j < count; ++j) out[j] = sum[Stored::lane(j)] + (args.bias != nullptr ? args.bias[first + j] : 0.0F);
    }
  }
}

template <class Stored>
void embed(const matrix& embedding, token_id token, float* out) {
  const auto row = static_cast<std::uint32_t>(token);
  const auto* from = static_cast<const typename Stored::element*>(embedding.data) +
                     std::size_t{row / panel_width} * panel_width * embedding.columns + Stored::lane(row);
  for (std::size_t k = 0; k < embedding.columns; ++k) out[k] = Stored::widen(from[k * panel_width]);
}

void rms_norm(const float* in, const float* weight, float* out, std::uint32_t size, float eps) {
  const float scale = 1.0F / std::sqrt(dot<stored_f32>(in, in, size) / static_cast<float>(size) + eps);
  for (std::uint32_t i = 0; i < size; ++i) out[i] = weight[i] * (in[i] * scale);
}

void rotate(float* head, const float* cosines, const float* sines, std::uint32_t head_dim) {
  const std::uint32_t half = head_dim / 2;
  for (std::uint32_t i = 0; i < half; ++i) {
    const float a = head[i], b = head[i + half];
    head[i] = a * cosines[i] - b * sines[i];
    head[i + half] = b * cosines[i] + a * sines[i];
  }
}

template <class Stored>
void store_kv(const float* from, void* to, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) static_cast<typename Stored::element*>(to)[i] = Stored::narrow(from[i]);
}

/// softmax's numerator and denominator over some positions, relative to the largest score among them.
struct partial {
  float largest = 0, total = 0;
  float sum[model_bounds::head_dim];
};

/// Positions [begin, end) for one query head.
template <class Stored>
void attend_part(const attention_args& args, const float* query, std::uint32_t begin, std::uint32_t end, partial& into) {
  const auto row_of = [&args](const void* base, std::uint32_t position) {
    const std::size_t block = args.table[position / args.block_tokens];
    return static_cast<const typename Stored::element*>(base) + block * args.block_stride +
           std::size_t{position % args.block_tokens} * args.head_dim;
  };
  const float scale = 1.0F / std::sqrt(static_cast<float>(args.head_dim));
  float scores[attention_split];
  for (std::uint32_t p = begin; p < end; ++p) scores[p - begin] = dot<Stored>(query, row_of(args.keys, p), args.head_dim) * scale;
  into.largest = *std::max_element(scores, scores + (end - begin));
  into.total = 0;
  std::fill_n(into.sum, args.head_dim, 0.0F);
  for (std::uint32_t p = begin; p < end; ++p) {
    const float weight = exp_f32(scores[p - begin] - into.largest);
    const auto* value = row_of(args.values, p);
    into.total += weight;
    for (std::uint32_t d = 0; d < args.head_dim; ++d) into.sum[d] += weight * Stored::widen(value[d]);
  }
}

/// `into` covers the positions before those of `next`.
void merge(partial& into, const partial& next, std::uint32_t head_dim) {
  const float largest = std::max(into.largest, next.largest);
  const float before = exp_f32(into.largest - largest), after = exp_f32(next.largest - largest);
  into.largest = largest;
  into.total = into.total * before + next.total * after;
  for (std::uint32_t d = 0; d < head_dim; ++d) into.sum[d] = into.sum[d] * before + next.sum[d] * after;
}

template <class Stored>
void attend(const attention_args& args) {
  partial merged, next;
  for (std::uint32_t row = 0; row < args.tokens * args.group; ++row) {
    const auto token = row / args.group, offset = row % args.group * args.head_dim;
    const float* query = args.query + token * args.query_stride + offset;
    const std::uint32_t end = args.position + token + 1;
    attend_part<Stored>(args, query, 0, std::min(end, attention_split), merged);
    for (std::uint32_t begin = attention_split; begin < end; begin += attention_split) {
      attend_part<Stored>(args, query, begin, std::min(end, begin + attention_split), next);
      merge(merged, next, args.head_dim);
    }
    float* out = args.out + token * args.out_stride + offset;
    for (std::uint32_t d = 0; d < args.head_dim; ++d) out[d] = merged.sum[d] / merged.total;
  }
}

void silu_multiply(const float* gate, const float* up, float* out, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) out[i] = gate[i] / (1.0F + exp_f32(-gate[i])) * up[i];
}

void add(float* into, const float* from, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) into[i] += from[i];
}

template <class Stored>
constexpr kernel_table table(std::string_view name, numeric_type type) {
  return {name, type, matmul<Stored>, embed<Stored>, rms_norm, rotate, store_kv<Stored>, attend<Stored>, silu_multiply, add};
}

}  // namespace

const kernel_table scalar_f32_table = table<stored_f32>("scalar-f32", numeric_type::f32);
const kernel_table scalar_bf16_table = table<stored_bf16>("scalar-bf16", numeric_type::bf16);

void embed_f32(const matrix& embedding, token_id token, float* out) { embed<stored_f32>(embedding, token, out); }
void embed_bf16(const matrix& embedding, token_id token, float* out) { embed<stored_bf16>(embedding, token, out); }

}  // namespace troupe::core
