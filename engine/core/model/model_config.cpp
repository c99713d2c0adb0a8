// Key names and their defaults are those of the `transformers` configuration classes of the four families.
#include "engine/core/model/model_config.hpp"

#include <array>

#include "engine/core/model/json_fields.hpp"

namespace troupe::core {
namespace {

using nlohmann::json;

struct family_entry {
  model_family family;
  std::string_view architecture, model_type;
};
constexpr std::array<family_entry, 4> families{{
    {model_family::llama, "LlamaForCausalLM", "llama"},
    {model_family::mistral, "MistralForCausalLM", "mistral"},
    {model_family::qwen2, "Qwen2ForCausalLM", "qwen2"},
    {model_family::qwen3, "Qwen3ForCausalLM", "qwen3"},
}};

const family_entry* find_family(std::string_view family_entry::*name, std::string_view value) {
  for (const auto& entry : families) {
    if (entry.*name == value) return &entry;
  }
  return nullptr;
}

/// `architectures[0]` and `model_type` must both be known and agree; one of the two may be absent.
model_family read_family(json_fields& fields) {
  const auto* list = fields.array("architectures");
  std::string architecture;
  if (list != nullptr && !list->empty()) {
    if (!list->front().is_string()) fields.refuse(errc::corrupt_data, "architectures", "must be a list of strings");
    if (list->front().is_string()) architecture = list->front().get<std::string>();
  }
  const auto type = fields.text_or("model_type", "");
  const auto* by_architecture = find_family(&family_entry::architecture, architecture);
  const auto* by_type = find_family(&family_entry::model_type, type);
  if (architecture.empty() && type.empty()) fields.refuse(errc::corrupt_data, "architectures", "is missing");
  if (!architecture.empty() && by_architecture == nullptr) {
    fields.refuse(errc::unsupported_parameter, "architectures", "names " + architecture.substr(0, 128) + ", which is not served");
  }
  if (!type.empty() && by_type == nullptr) {
    fields.refuse(errc::unsupported_parameter, "model_type", "is " + type.substr(0, 128) + ", which is not served");
  }
  if (by_architecture != nullptr && by_type != nullptr && by_architecture != by_type) {
    fields.refuse(errc::corrupt_data, "model_type", "is " + type + ", but architectures names " + architecture);
  }
  const auto* entry = by_architecture != nullptr ? by_architecture : by_type;
  return entry != nullptr ? entry->family : model_family::llama;
}

void read_heads(json_fields& fields, model_config& config) {
  config.heads = fields.count("num_attention_heads", model_bounds::heads);
  config.kv_heads = config.family == model_family::llama ? fields.count_or("num_key_value_heads", model_bounds::heads, config.heads)
                                                         : fields.count("num_key_value_heads", model_bounds::heads);
  if (config.heads % config.kv_heads != 0) {
    fields.refuse(errc::corrupt_data, "num_key_value_heads", "must divide num_attention_heads");
  }
  if (fields.has("head_dim")) {
    config.head_dim = fields.count("head_dim", model_bounds::head_dim);
  } else if (config.family == model_family::qwen3) {
    config.head_dim = 128;
  } else {
    config.head_dim = config.hidden / config.heads;
    if (config.hidden % config.heads != 0) fields.refuse(errc::corrupt_data, "num_attention_heads", "must divide hidden_size");
    if (config.head_dim > model_bounds::head_dim) {
      fields.refuse(errc::corrupt_data, "num_attention_heads", "makes heads wider than " + std::to_string(model_bounds::head_dim));
    }
  }
  if (config.head_dim % 2 != 0) fields.refuse(errc::corrupt_data, "head_dim", "must be even");
}

/// `rope` as this object changes it; each object starts from the same `rope`, so that two of them can be compared.
rope_config read_scaling(json_fields& fields, const json& object, const std::string& key, rope_config rope) {
  json_fields scaling(object, "config.json: " + key);
  const auto kind = scaling.text_or(scaling.has("rope_type") ? "rope_type" : "type", "default");
  if (kind == "linear" || kind == "llama3") rope.factor = scaling.number("factor", 1, 1e6);
  if (kind == "linear") {
    rope.kind = rope_config::scaling::linear;
  } else if (kind == "llama3") {
    rope.kind = rope_config::scaling::llama3;
    rope.low_freq_factor = scaling.number("low_freq_factor", 1e-6, 1e6);
    rope.high_freq_factor = scaling.number("high_freq_factor", 1e-6, 1e6);
    rope.original_context = scaling.count("original_max_position_embeddings", model_bounds::context_tokens);
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      scaling.refuse(errc::corrupt_data, "high_freq_factor", "must be larger than low_freq_factor");
    }
  } else if (kind != "default") {
    scaling.refuse(errc::unsupported_parameter, "rope_type", "is " + kind.substr(0, 128) + ", which is not served");
  }
  if (scaling.has("rope_theta")) rope.theta = scaling.number("rope_theta", 1, 1e12);
  if (scaling.number_or("partial_rotary_factor", 0, 1, 1) != 1.0) {
    scaling.refuse(errc::unsupported_parameter, "partial_rotary_factor", "other than 1 is not served");
  }
  if (scaling.error()) fields.refuse(scaling.error()->code, key, "is refused: " + scaling.error()->message);
  return rope;
}

/// `rope_theta` and `rope_scaling`, or the newer `rope_parameters` that holds both. A file may have both, if they agree.
void read_rope(json_fields& fields, rope_config& rope) {
  rope.theta = fields.number_or("rope_theta", 1, 1e12, 10000);
  const auto read = [&fields, &rope](const char* key) -> std::optional<rope_config> {
    const auto* object = fields.object(key);
    if (object == nullptr || object->empty()) return std::nullopt;
    return read_scaling(fields, *object, key, rope);
  };
  const auto scaling = read("rope_scaling");
  const auto parameters = read("rope_parameters");
  if (scaling && parameters && *scaling != *parameters) {
    fields.refuse(errc::unsupported_parameter, "rope_parameters", "differs from rope_scaling: one of them says how positions turn");
  }
  rope = scaling.value_or(parameters.value_or(rope));
  if (fields.number_or("partial_rotary_factor", 0, 1, 1) != 1.0) {
    fields.refuse(errc::unsupported_parameter, "partial_rotary_factor", "other than 1 is not served");
  }
}

/// A window that hides part of the context changes the answer; one as long as the context changes nothing. `null` means no window, but
/// a config without the key has one of 4096 tokens.
void refuse_windows(json_fields& fields, const model_config& config) {
  const bool is_qwen = config.family == model_family::qwen2 || config.family == model_family::qwen3;
  const bool uses_window = is_qwen ? fields.flag_or("use_sliding_window", false) : config.family == model_family::mistral;
  if (uses_window && (fields.has("sliding_window") || !fields.contains("sliding_window"))) {
    const auto window = fields.count_or("sliding_window", UINT32_MAX, 4096);
    if (window < config.context_tokens) {
      fields.refuse(errc::unsupported_parameter, "sliding_window",
                    "of " + std::to_string(window) + " is smaller than the context of " + std::to_string(config.context_tokens) +
                        "; sliding-window attention is not served");
    }
  }
  if (const auto* kinds = fields.array("layer_types")) {
    for (const auto& kind : *kinds) {
      if (kind != "full_attention") fields.refuse(errc::unsupported_parameter, "layer_types", "other than full_attention are not served");
    }
  }
}

void read_biases(json_fields& fields, model_config& config) {
  const bool asked = fields.flag_or("attention_bias", false);
  const bool mlp = fields.flag_or("mlp_bias", false);
  switch (config.family) {
    case model_family::llama:
      config.qkv_bias = config.output_bias = asked;
      config.mlp_bias = mlp;
      break;
    case model_family::mistral:
      break;
    case model_family::qwen2:
      config.qkv_bias = true;
      break;
    case model_family::qwen3:
      config.qkv_bias = config.output_bias = asked;
      config.qk_norm = true;
      break;
  }
}

void read_shape(json_fields& fields, model_config& config) {
  config.vocabulary = fields.count("vocab_size", model_bounds::vocabulary);
  config.hidden = fields.count("hidden_size", model_bounds::hidden);
  config.intermediate = fields.count("intermediate_size", model_bounds::intermediate);
  config.layers = fields.count("num_hidden_layers", model_bounds::layers);
  config.context_tokens = fields.count("max_position_embeddings", model_bounds::context_tokens);
  config.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps", 1e-12, 1));
  config.tied_embeddings = fields.flag_or("tie_word_embeddings", false);
}

}  // namespace

expected<model_config> parse_model_config(const std::string& text) {
  const auto parsed = parse_json_object(text, "config.json");
  if (!parsed) return parsed.error();
  json_fields fields(*parsed, "config.json");
  model_config config;
  config.family = read_family(fields);
  if (fields.has("quantization_config")) {
    fields.refuse(errc::unsupported_parameter, "quantization_config", "is not served: weights must be F32, F16 or BF16");
  }
  read_shape(fields, config);
  read_heads(fields, config);
  read_rope(fields, config.rope);
  read_biases(fields, config);
  refuse_windows(fields, config);
  const auto activation = fields.text_or("hidden_act", "silu");
  if (activation != "silu")
    fields.refuse(errc::unsupported_parameter, "hidden_act", "is " + activation.substr(0, 128) + ", only silu is served");
  const auto bos = fields.tokens("bos_token_id", config.vocabulary);
  if (!bos.empty()) config.bos = bos.front();
  config.eos = fields.tokens("eos_token_id", config.vocabulary);
  config.checkpoint_dtype = fields.text_or("torch_dtype", fields.text_or("dtype", ""));
  if (fields.error()) return *fields.error();
  return config;
}

expected<generation_defaults> parse_generation_defaults(const std::string& text, std::uint32_t vocabulary) {
  const auto parsed = parse_json_object(text, "generation_config.json");
  if (!parsed) return parsed.error();
  json_fields fields(*parsed, "generation_config.json");
  generation_defaults defaults;
  const auto read = [&fields](const char* key, double low, double high, std::optional<float>& into) {
    if (fields.has(key)) into = static_cast<float>(fields.number(key, low, high));
  };
  read("temperature", 0, 1e4, defaults.temperature);
  read("top_p", 0, 1, defaults.top_p);
  read("min_p", 0, 1, defaults.min_p);
  read("repetition_penalty", 1e-4, 1e4, defaults.repetition_penalty);
  if (fields.has("top_k")) {
    const double top_k = fields.number("top_k", 0, INT32_MAX);
    defaults.top_k = static_cast<std::int32_t>(top_k);
    if (*defaults.top_k != top_k) fields.refuse(errc::corrupt_data, "top_k", "must be an integer");
  }
  if (fields.has("do_sample")) defaults.do_sample = fields.flag_or("do_sample", false);
  defaults.eos = fields.tokens("eos_token_id", vocabulary);
  if (fields.error()) return *fields.error();
  return defaults;
}

}  // namespace troupe::core
