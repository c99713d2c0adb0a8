// Scalar float32. Long sums run in 16 lanes that are added pairwise at the end: a fixed order that still lets the compiler use
// whatever registers the target has, because no lane depends on another.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/core/cpu/exp_f32.hpp"
#include "engine/core/cpu/kernels.hpp"

namespace troupe::core {
namespace {

constexpr std::uint32_t lanes = 16;
/// 16 rows of input (256 KiB at hidden 4096) stay in L2 while a chunk's weight rows pass.
constexpr std::uint32_t rows_per_tile = 16;

/// Four lanes that the compiler keeps in one register where it has them: left to itself it transposes the loop below.
using quad = float __attribute__((vector_size(16)));
quad load(const float* from) {
  quad value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// sum_k a[k] * b[k]: lane j takes k = j mod 16 in ascending order.
float dot(const float* a, const float* b, std::uint32_t size) {
  quad quads[lanes / 4] = {};
  const std::size_t whole = size / lanes * lanes;
  for (std::size_t k = 0; k < whole; k += lanes) {
    for (std::size_t j = 0; j < lanes / 4; ++j) quads[j] += load(a + k + 4 * j) * load(b + k + 4 * j);
  }
  float sum[lanes];
  std::memcpy(sum, quads, sizeof sum);
  for (std::size_t k = whole; k < size; ++k) sum[k - whole] += a[k] * b[k];
  for (std::uint32_t width = lanes / 2; width > 0; width /= 2) {
    for (std::uint32_t j = 0; j < width; ++j) sum[j] += sum[j + width];
  }
  return sum[0];
}

void matmul(const matmul_args& args, std::uint32_t n_begin, std::uint32_t n_end) {
  const std::size_t depth = args.weights.columns, width = args.weights.rows;
  const auto* weights = static_cast<const float*>(args.weights.data);
  for (std::uint32_t tile = 0; tile < args.rows; tile += rows_per_tile) {
    const auto tile_end = std::min(args.rows, tile + rows_per_tile);
    for (std::uint32_t n = n_begin; n < n_end; ++n) {
      const float bias = args.bias != nullptr ? args.bias[n] : 0.0F;
      for (std::uint32_t m = tile; m < tile_end; ++m) {
        args.out[m * width + n] = dot(args.in + m * depth, weights + n * depth, args.weights.columns) + bias;
      }
    }
  }
}

void embed(const matrix& embedding, token_id token, float* out) {
  const auto* row = static_cast<const float*>(embedding.data) + static_cast<std::size_t>(token) * embedding.columns;
  std::memcpy(out, row, embedding.columns * sizeof(float));
}

void rms_norm(const float* in, const float* weight, float* out, std::uint32_t size, float eps) {
  const float scale = 1.0F / std::sqrt(dot(in, in, size) / static_cast<float>(size) + eps);
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

void store_kv(const float* from, void* to, std::uint32_t size) { std::memcpy(to, from, size * sizeof(float)); }

/// softmax's numerator and denominator over some positions, relative to the largest score among them.
struct partial {
  float largest = 0, total = 0;
  float sum[model_bounds::head_dim];
};

/// Positions [begin, end) for one query head.
void attend_part(const attention_args& args, const float* query, std::uint32_t begin, std::uint32_t end, partial& into) {
  const auto row_of = [&args](const void* base, std::uint32_t position) {
    const std::size_t block = args.table[position / args.block_tokens];
    return static_cast<const float*>(base) + block * args.block_stride + std::size_t{position % args.block_tokens} * args.head_dim;
  };
  const float scale = 1.0F / std::sqrt(static_cast<float>(args.head_dim));
  float scores[attention_split];
  for (std::uint32_t p = begin; p < end; ++p) scores[p - begin] = dot(query, row_of(args.keys, p), args.head_dim) * scale;
  into.largest = *std::max_element(scores, scores + (end - begin));
  into.total = 0;
  std::fill_n(into.sum, args.head_dim, 0.0F);
  for (std::uint32_t p = begin; p < end; ++p) {
    const float weight = exp_f32(scores[p - begin] - into.largest);
    const float* value = row_of(args.values, p);
    into.total += weight;
    for (std::uint32_t d = 0; d < args.head_dim; ++d) into.sum[d] += weight * value[d];
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

void attend(const attention_args& args) {
  partial merged, next;
  for (std::uint32_t head = 0; head < args.group; ++head) {
    const float* query = args.query + std::size_t{head} * args.head_dim;
    const std::uint32_t end = args.position + 1;
    attend_part(args, query, 0, std::min(end, attention_split), merged);
    for (std::uint32_t begin = attention_split; begin < end; begin += attention_split) {
      attend_part(args, query, begin, std::min(end, begin + attention_split), next);
      merge(merged, next, args.head_dim);
    }
    float* out = args.out + std::size_t{head} * args.head_dim;
    for (std::uint32_t d = 0; d < args.head_dim; ++d) out[d] = merged.sum[d] / merged.total;
  }
}

void silu_multiply(const float* gate, const float* up, float* out, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) out[i] = gate[i] / (1.0F + exp_f32(-gate[i])) * up[i];
}

void add(float* into, const float* from, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) into[i] += from[i];
}

}  // namespace

const kernel_table& scalar_f32_kernels() noexcept {
  static constexpr kernel_table table{"scalar-f32", sizeof(float), matmul, embed, rms_norm, rotate, store_kv, attend, silu_multiply, add};
  return table;
}

}  // namespace troupe::core
