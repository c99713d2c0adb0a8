// The arithmetic of a forward pass as a table of functions, one table per (instruction set, number type). Batch invariance lives
// here: what a kernel computes for one row, token or head depends on nothing but that row, its position and the model.
//
// A matrix product sums over k in ascending order, one accumulator per output, whatever part of N or M a call covers. Attention cuts
// the KV of a sequence at multiples of attention_split positions, reduces each part by itself, and merges the parts in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/core/model/weights.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

/// 128: four default blocks; one head's K and V of a part (64 KiB each at head_dim 128) stay in L2 while its query heads pass over.
inline constexpr std::uint32_t attention_split = 128;
/// Query heads, over all tokens of a call, that share one pass over K and V. 32: 16 tokens of a model with groups of two.
inline constexpr std::uint32_t attention_rows = 32;

struct matmul_args {
  const float* in = nullptr;  ///< [rows][weights.columns], rows `in_stride` floats apart
  std::size_t in_stride = 0;
  std::uint32_t rows = 0;
  matrix weights;
  const float* bias = nullptr;  ///< [weights.rows], may be null
  float* out = nullptr;         ///< [rows][weights.rows], rows `out_stride` floats apart
  std::size_t out_stride = 0;
};

/// All query heads that share one KV head, of `tokens` consecutive tokens of one sequence. K and V of them all are stored.
struct attention_args {
  const float* query = nullptr;  ///< [tokens][group][head_dim], tokens `query_stride` floats apart
  std::size_t query_stride = 0;
  float* out = nullptr;  ///< [tokens][group][head_dim], tokens `out_stride` floats apart
  std::size_t out_stride = 0;
  std::uint32_t tokens = 0;  ///< in [1, attention_rows]
  std::uint32_t group = 0, head_dim = 0;
  std::uint32_t position = 0;  ///< of the first token; token t attends to [0, position + t]
  const void* keys = nullptr;  ///< of this layer and head in block 0: [token][head_dim]
  const void* values = nullptr;
  std::size_t block_stride = 0;  ///< elements from a block to the next
  std::uint32_t block_tokens = 0;
  const block_index* table = nullptr;  ///< of the sequence
};

struct kernel_table {
  std::string_view name;  ///< "scalar-f32"
  numeric_type type = numeric_type::f32;

  /// out[m][n] = sum_k in[m][k] * weights[n][k] + bias[n], for all m and the outputs n of panels [panel_begin, panel_end).
  void (*matmul)(const matmul_args& args, std::uint32_t panel_begin, std::uint32_t panel_end);
  /// out[i] = row `token` of the embedding.
  void (*embed)(const matrix& embedding, token_id token, float* out);
  /// out[i] = weight[i] * (in[i] / sqrt(mean(in^2) + eps)). `in` may be `out`.
  void (*rms_norm)(const float* in, const float* weight, float* out, std::uint32_t size, float eps);
  /// Rotates one head in place: pairs (i, i + head_dim / 2), as Hugging Face checkpoints are trained. `cosines`, `sines`: [head_dim / 2].
  void (*rotate)(float* head, const float* cosines, const float* sines, std::uint32_t head_dim);
  /// Writes elements of K or V into the pool's number type, rounded to nearest even.
  void (*store_kv)(const float* from, void* to, std::uint32_t size);
  /// out[t][g][d] = softmax(q k^T / sqrt(head_dim)) v over the sequence's blocks.
  void (*attend)(const attention_args& args);
  /// out[i] = gate[i] / (1 + e^-gate[i]) * up[i].
  void (*silu_multiply)(const float* gate, const float* up, float* out, std::uint32_t size);
  /// into[i] += from[i].
  void (*add)(float* into, const float* from, std::uint32_t size);
};

/// `best` is the widest that this machine has.
enum class instruction_set : std::uint8_t { best, scalar, avx2, avx512 };

/// Null when this machine, or this build, lacks the instructions. Scalar is everywhere, and the twin that the others are tested against.
const kernel_table* find_kernels(numeric_type type, instruction_set instructions = instruction_set::best) noexcept;

}  // namespace troupe::core
