// A model's weights in the form the kernels read: converted once, in one region of memory, with projections that read the same
// input stacked into one matrix. Rows of a matrix are outputs, columns are what is summed over; packed_matrix.hpp has the layout.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/model/memory_region.hpp"
#include "engine/core/model/model_config.hpp"
#include "engine/core/model/safetensors.hpp"

namespace troupe::core {

/// What matrices and KV are stored as. Norms, biases, activations and logits are float32 always.
enum class numeric_type : std::uint8_t { f32, bf16 };

constexpr std::uint32_t bytes_of(numeric_type type) noexcept { return type == numeric_type::f32 ? 4 : 2; }

struct matrix {
  const void* data = nullptr;  ///< elements of weights::type in panels, see packed_matrix.hpp
  std::uint32_t rows = 0, columns = 0;
};

struct layer_weights {
  const float* attention_norm = nullptr;  ///< [hidden]
  matrix qkv;                             ///< query rows, then key, then value
  const float* qkv_bias = nullptr;        ///< null without
  const float* query_norm = nullptr;      ///< [head_dim], null without
  const float* key_norm = nullptr;
  matrix output;
  const float* output_bias = nullptr;
  const float* mlp_norm = nullptr;  ///< [hidden]
  matrix gate_up;                   ///< gate rows, then up
  const float* gate_up_bias = nullptr;
  matrix down;
  const float* down_bias = nullptr;
};

struct weights {
  numeric_type type = numeric_type::f32;
  matrix embedding;  ///< vocabulary x hidden
  std::vector<layer_weights> layers;
  const float* final_norm = nullptr;
  matrix head;  ///< vocabulary x hidden; the embedding itself when tied
  memory_region memory;
};

/// What a checkpoint computes in unless told otherwise: bf16 when every matrix is stored so, else f32, which loses nothing.
numeric_type checkpoint_type(const model_config& config, const safetensors& tensors);

/// Copies, rounds (to nearest even) and packs every tensor that `config` calls for. A tensor that is missing, misshapen or of another
/// kind of number is corrupt_data and named.
expected<weights> load_weights(const model_config& config, const safetensors& tensors, numeric_type type);

}  // namespace troupe::core
