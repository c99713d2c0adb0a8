// A model's weights in the form the kernels read: converted once, in one region of memory, with projections that read the same
// input stacked into one matrix. Rows of a matrix are outputs: matrix[n][k].
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/model/memory_region.hpp"
#include "engine/core/model/model_config.hpp"
#include "engine/core/model/safetensors.hpp"

namespace troupe::core {

/// What matrices are stored as. Norms and biases are float32 always.
enum class numeric_type : std::uint8_t { f32, bf16 };

struct matrix {
  const void* data = nullptr;  ///< rows x columns elements of weights::type, dense
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

/// Copies and converts every tensor that `config` calls for. A tensor that is missing, misshapen or of another kind of number
/// is corrupt_data and named; bf16 is unsupported_parameter.
expected<weights> load_weights(const model_config& config, const safetensors& tensors, numeric_type type);

}  // namespace troupe::core
