// What a model is, from a Hugging Face config.json: dense decoders of the Llama, Mistral, Qwen2 and Qwen3 families. Anything whose
// arithmetic is not built here is refused by name, so that no checkpoint ever runs slightly wrong.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

enum class model_family : std::uint8_t { llama, mistral, qwen2, qwen3 };

/// How positions become angles. `original_context` and the frequency factors belong to llama3 scaling.
struct rope_config {
  enum class scaling : std::uint8_t { none, linear, llama3 } kind = scaling::none;
  double theta = 10000;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;
  std::uint32_t original_context = 0;
  bool operator==(const rope_config&) const = default;
};

/// Every count is at least 1 and bounded (model_bounds), so that products of any four of them, in bytes, fit 64 bits.
struct model_config {
  model_family family = model_family::llama;
  std::uint32_t hidden = 0, intermediate = 0, layers = 0;
  std::uint32_t heads = 0, kv_heads = 0, head_dim = 0;
  std::uint32_t vocabulary = 0, context_tokens = 0;
  float rms_norm_eps = 0;
  rope_config rope;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;  ///< output: of the attention's output projection
  bool qk_norm = false;                                          ///< RMS norm of each query and key head (Qwen3)
  bool tied_embeddings = false;
  std::optional<token_id> bos;
  std::vector<token_id> eos;
  std::string checkpoint_dtype;  ///< "float32", "bfloat16", ...; empty when the file does not say

  [[nodiscard]] std::uint32_t query_width() const noexcept { return heads * head_dim; }
  [[nodiscard]] std::uint32_t kv_width() const noexcept { return kv_heads * head_dim; }
};

/// The largest values accepted. Far above any dense model that exists; small enough for 64-bit arithmetic everywhere.
namespace model_bounds {
inline constexpr std::uint32_t hidden = 1 << 16;
inline constexpr std::uint32_t intermediate = 1 << 20;
inline constexpr std::uint32_t layers = 1 << 10;
inline constexpr std::uint32_t heads = 1 << 10;
inline constexpr std::uint32_t head_dim = 512;  ///< kernels keep one head on the stack
inline constexpr std::uint32_t vocabulary = 1 << 22;
inline constexpr std::uint32_t context_tokens = 1 << 24;
}  // namespace model_bounds

/// Parses the text of a config.json. Failures name the key: corrupt_data (missing, wrong type, out of range),
/// unsupported_parameter (understood, not offered).
expected<model_config> parse_model_config(const std::string& text);

/// What a model's maker advises, from generation_config.json; unset where the file is silent.
struct generation_defaults {
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<std::int32_t> top_k;
  std::optional<bool> do_sample;  ///< false: greedy unless the request sets a temperature
  std::vector<token_id> eos;
};
expected<generation_defaults> parse_generation_defaults(const std::string& text, std::uint32_t vocabulary);

}  // namespace troupe::core
