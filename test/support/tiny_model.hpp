// Small models with random weights, written as Hugging Face directories. The values are kept beside the files, so that an
// independent forward pass can be computed from them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/core/model/half.hpp"
#include "test/support/files.hpp"

namespace troupe::test {

/// SplitMix64: the same numbers everywhere.
struct random_source {
  std::uint64_t state;
  std::uint64_t next() {
    state += 0x9e3779b97f4a7c15ULL;
    auto z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  float symmetric() { return static_cast<float>(static_cast<double>(next() >> 11) * 0x1p-52 - 1.0); }  ///< in [-1, 1)
};

struct tiny_spec {
  std::string architecture = "LlamaForCausalLM", model_type = "llama";
  std::uint32_t hidden = 32, intermediate = 48, layers = 2, heads = 4, kv_heads = 2, head_dim = 8, vocabulary = 65, context = 512;
  bool qkv_bias = false, output_bias = false, mlp_bias = false, qk_norm = false, tied = false;
  double rms_norm_eps = 1e-5, theta = 10000;
  nlohmann::json extra = nlohmann::json::object();  ///< further keys of config.json; null removes one
  std::string dtype = "F32";                        ///< of the files: F32, F16, BF16
  std::uint32_t shards = 1;
  std::uint64_t seed = 1;
};

struct tiny_tensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> values;  ///< as the file holds them: rounded to its dtype
};

struct tiny_model {
  tiny_spec spec;
  nlohmann::json config;
  std::map<std::string, tiny_tensor> tensors;
};

inline float rounded_to(const std::string& dtype, float value) {
  if (dtype == "F16") return core::f16_to_f32(core::f32_to_f16(value));
  if (dtype == "BF16") return core::bf16_to_f32(core::f32_to_bf16(value));
  return value;
}

inline nlohmann::json tiny_config(const tiny_spec& spec) {
  nlohmann::json config = {{"architectures", {spec.architecture}},
                           {"model_type", spec.model_type},
                           {"hidden_size", spec.hidden},
                           {"intermediate_size", spec.intermediate},
                           {"num_hidden_layers", spec.layers},
                           {"num_attention_heads", spec.heads},
                           {"num_key_value_heads", spec.kv_heads},
                           {"head_dim", spec.head_dim},
                           {"vocab_size", spec.vocabulary},
                           {"max_position_embeddings", spec.context},
                           {"rms_norm_eps", spec.rms_norm_eps},
                           {"rope_theta", spec.theta},
                           {"hidden_act", "silu"},
                           {"tie_word_embeddings", spec.tied},
                           {"eos_token_id", 2}};
  for (const auto& [key, value] : spec.extra.items()) {
    if (value.is_null()) {
      config.erase(key);
    } else {
      config[key] = value;
    }
  }
  return config;
}

inline tiny_model make_tiny(const tiny_spec& spec) {
  tiny_model model{spec, tiny_config(spec), {}};
  random_source random{spec.seed};
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape, float centre, float spread) {
    std::uint64_t size = 1;
    for (const auto dimension : shape) size *= dimension;
    tiny_tensor tensor{std::move(shape), {}};
    for (std::uint64_t i = 0; i < size; ++i) tensor.values.push_back(rounded_to(spec.dtype, centre + spread * random.symmetric()));
    model.tensors[name] = std::move(tensor);
  };
  const auto linear = [&](const std::string& name, std::uint64_t rows, std::uint64_t columns, bool bias) {
    add(name + ".weight", {rows, columns}, 0, 1.7F / std::sqrt(static_cast<float>(columns)));
    if (bias) add(name + ".bias", {rows}, 0, 0.3F);
  };
  const auto norm = [&](const std::string& name, std::uint64_t size) { add(name + ".weight", {size}, 1, 0.3F); };
  add("model.embed_tokens.weight", {spec.vocabulary, spec.hidden}, 0, 1);
  for (std::uint32_t i = 0; i < spec.layers; ++i) {
    const auto prefix = "model.layers." + std::to_string(i) + ".";
    norm(prefix + "input_layernorm", spec.hidden);
    linear(prefix + "self_attn.q_proj", std::uint64_t{spec.heads} * spec.head_dim, spec.hidden, spec.qkv_bias);
    linear(prefix + "self_attn.k_proj", std::uint64_t{spec.kv_heads} * spec.head_dim, spec.hidden, spec.qkv_bias);
    linear(prefix + "self_attn.v_proj", std::uint64_t{spec.kv_heads} * spec.head_dim, spec.hidden, spec.qkv_bias);
    linear(prefix + "self_attn.o_proj", spec.hidden, std::uint64_t{spec.heads} * spec.head_dim, spec.output_bias);
    if (spec.qk_norm) norm(prefix + "self_attn.q_norm", spec.head_dim);
    if (spec.qk_norm) norm(prefix + "self_attn.k_norm", spec.head_dim);
    norm(prefix + "post_attention_layernorm", spec.hidden);
    linear(prefix + "mlp.gate_proj", spec.intermediate, spec.hidden, spec.mlp_bias);
    linear(prefix + "mlp.up_proj", spec.intermediate, spec.hidden, spec.mlp_bias);
    linear(prefix + "mlp.down_proj", spec.hidden, spec.intermediate, spec.mlp_bias);
  }
  norm("model.norm", spec.hidden);
  if (!spec.tied) linear("lm_head", spec.vocabulary, spec.hidden, false);
  return model;
}

/// A whole safetensors file from a header object and data.
inline std::string safetensors_file(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i));
  return bytes + header + data;
}

inline std::string safetensors_bytes(const std::map<std::string, tiny_tensor>& tensors, const std::string& dtype) {
  nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto begin = data.size();
    for (const auto value : tensor.values) {
      const auto half = dtype == "F16" ? core::f32_to_f16(value) : core::f32_to_bf16(value);
      char bytes[4];
      std::memcpy(bytes, dtype == "F32" ? static_cast<const void*>(&value) : &half, dtype == "F32" ? 4 : 2);
      data.append(bytes, dtype == "F32" ? 4 : 2);
    }
    header[name] = {{"dtype", dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  return safetensors_file(header.dump(), data);
}

inline void write_tiny(const tiny_model& model, const std::filesystem::path& folder) {
  write_file(folder / "config.json", model.config.dump(1));
  if (model.spec.shards == 1) return write_file(folder / "model.safetensors", safetensors_bytes(model.tensors, model.spec.dtype));
  std::vector<std::map<std::string, tiny_tensor>> parts(model.spec.shards);
  nlohmann::json map = nlohmann::json::object();
  std::size_t count = 0;
  for (const auto& [name, tensor] : model.tensors) {
    const auto shard = count++ % parts.size();
    parts[shard][name] = tensor;
    map[name] = "model-" + std::to_string(shard) + ".safetensors";
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    write_file(folder / ("model-" + std::to_string(i) + ".safetensors"), safetensors_bytes(parts[i], model.spec.dtype));
  }
  write_file(folder / "model.safetensors.index.json", nlohmann::json{{"metadata", {{"total_size", 0}}}, {"weight_map", map}}.dump());
}

}  // namespace troupe::test
