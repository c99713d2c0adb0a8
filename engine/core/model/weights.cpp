// Two passes over one list of tensors: the first gives every tensor its place, the second copies. The names are those of
// Hugging Face checkpoints.
#include "engine/core/model/weights.hpp"

#include <cstring>
#include <deque>

#include "engine/core/model/half.hpp"

namespace troupe::core {
namespace {

/// Cache lines and the widest vector register.
constexpr std::uint64_t alignment = 64;

struct placement {
  std::string name;
  std::uint64_t rows, columns;  ///< columns 0: a vector
  std::uint64_t offset;         ///< floats from the beginning of the region
};

/// Collects what to load where. Pointers are set when the region exists.
class layout {
 public:
  explicit layout(const model_config& config) : config_(config) {}

  void plan(weights& into);
  [[nodiscard]] std::uint64_t floats() const noexcept { return floats_; }
  [[nodiscard]] const std::vector<placement>& placements() const noexcept { return placements_; }
  void point(float* base) {
    for (auto& [target, offset] : matrices_) target->data = base + offset;
    for (auto& [target, offset] : vectors_) *target = base + offset;
  }

 private:
  struct part {
    const char* name;
    std::uint32_t rows;
  };
  void align() { floats_ = (floats_ + alignment / 4 - 1) / (alignment / 4) * (alignment / 4); }
  void place(const std::string& name, std::uint64_t rows, std::uint64_t columns) {
    placements_.push_back({name, rows, columns, floats_});
    floats_ += rows * (columns == 0 ? 1 : columns);
  }
  void stack(matrix& into, const std::string& prefix, std::initializer_list<part> parts, std::uint32_t columns) {
    align();
    matrices_.emplace_back(&into, floats_);
    into.columns = columns;
    for (const auto& one : parts) {
      into.rows += one.rows;
      place(prefix + one.name + ".weight", one.rows, columns);
    }
  }
  void stack_bias(const float*& into, const std::string& prefix, std::initializer_list<part> parts) {
    align();
    vectors_.emplace_back(&into, floats_);
    for (const auto& one : parts) place(prefix + one.name + ".bias", one.rows, 0);
  }
  void norm(const float*& into, const std::string& name, std::uint32_t size) {
    align();
    vectors_.emplace_back(&into, floats_);
    place(name, size, 0);
  }
  void plan_layer(layer_weights& layer, const std::string& prefix);

  const model_config& config_;
  std::vector<placement> placements_;
  std::vector<std::pair<matrix*, std::uint64_t>> matrices_;
  std::vector<std::pair<const float**, std::uint64_t>> vectors_;
  std::uint64_t floats_ = 0;
};

void layout::plan_layer(layer_weights& layer, const std::string& prefix) {
  const auto attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const std::initializer_list<part> qkv{{"q_proj", config_.query_width()}, {"k_proj", config_.kv_width()}, {"v_proj", config_.kv_width()}};
  const std::initializer_list<part> gate_up{{"gate_proj", config_.intermediate}, {"up_proj", config_.intermediate}};
  const std::initializer_list<part> output{{"o_proj", config_.hidden}}, down{{"down_proj", config_.hidden}};
  norm(layer.attention_norm, prefix + "input_layernorm.weight", config_.hidden);
  stack(layer.qkv, attention, qkv, config_.hidden);
  if (config_.qkv_bias) stack_bias(layer.qkv_bias, attention, qkv);
  if (config_.qk_norm) {
    norm(layer.query_norm, attention + "q_norm.weight", config_.head_dim);
    norm(layer.key_norm, attention + "k_norm.weight", config_.head_dim);
  }
  stack(layer.output, attention, output, config_.query_width());
  if (config_.output_bias) stack_bias(layer.output_bias, attention, output);
  norm(layer.mlp_norm, prefix + "post_attention_layernorm.weight", config_.hidden);
  stack(layer.gate_up, mlp, gate_up, config_.hidden);
  if (config_.mlp_bias) stack_bias(layer.gate_up_bias, mlp, gate_up);
  stack(layer.down, mlp, down, config_.intermediate);
  if (config_.mlp_bias) stack_bias(layer.down_bias, mlp, down);
}

void layout::plan(weights& into) {
  stack(into.embedding, "model.", {{"embed_tokens", config_.vocabulary}}, config_.hidden);
  into.layers.resize(config_.layers);
  for (std::uint32_t i = 0; i < config_.layers; ++i) plan_layer(into.layers[i], "model.layers." + std::to_string(i) + ".");
  norm(into.final_norm, "model.norm.weight", config_.hidden);
  if (!config_.tied_embeddings) stack(into.head, "", {{"lm_head", config_.vocabulary}}, config_.hidden);
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const auto dimension : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
  return text + "]";
}

void convert(const tensor_view& from, float* into) {
  if (from.dtype == tensor_dtype::f32) {
    std::memcpy(into, from.data.data(), from.data.size());
    return;
  }
  const auto widen = from.dtype == tensor_dtype::f16 ? f16_to_f32 : bf16_to_f32;
  for (std::size_t i = 0; i < from.data.size() / 2; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, from.data.data() + 2 * i, 2);
    into[i] = widen(half);
  }
}

std::optional<failure> check_tensor(const placement& place, const tensor_view* tensor) {
  if (tensor == nullptr) return failure{errc::corrupt_data, "tensor " + place.name + " is missing", place.name};
  if (tensor->dtype == tensor_dtype::other) {
    return failure{errc::corrupt_data, "tensor " + place.name + " is not F32, F16 or BF16", place.name};
  }
  auto shape = std::vector<std::uint64_t>{place.rows};
  if (place.columns != 0) shape.push_back(place.columns);
  if (tensor->shape == shape) return std::nullopt;
  return failure{errc::corrupt_data,
                 "tensor " + place.name + " has shape " + shape_text(tensor->shape) + ", config.json calls for " + shape_text(shape),
                 place.name};
}

}  // namespace

expected<weights> load_weights(const model_config& config, const safetensors& tensors, numeric_type type) {
  if (type != numeric_type::f32) return failure{errc::unsupported_parameter, "weights are computed in f32 only", "dtype"};
  weights loaded;
  layout places(config);
  places.plan(loaded);
  for (const auto& place : places.placements()) {
    if (auto error = check_tensor(place, tensors.find(place.name))) return *error;
  }
  auto memory = memory_region::allocate(places.floats() * sizeof(float));
  if (!memory) return memory.error();
  auto* base = reinterpret_cast<float*>(memory->data());
  for (const auto& place : places.placements()) convert(*tensors.find(place.name), base + place.offset);
  places.point(base);
  if (config.tied_embeddings) loaded.head = loaded.embedding;
  loaded.memory = std::move(*memory);
  return loaded;
}

}  // namespace troupe::core
