// Two passes over one list of tensors: the first gives every tensor its place, the second converts and packs. The names are those of
// Hugging Face checkpoints.
#include "engine/core/model/weights.hpp"

#include <algorithm>
#include <cstring>

#include "engine/core/model/half.hpp"
#include "engine/core/model/packed_matrix.hpp"

namespace troupe::core {
namespace {

/// Cache lines and the widest vector register.
constexpr std::uint64_t alignment = 64;

struct placement {
  std::string name;
  std::uint64_t rows, columns;  ///< columns 0: a vector
  std::uint64_t offset;         ///< bytes from the beginning of the region to the vector, or to the matrix that this is a part of
  std::uint64_t first_row;      ///< of that matrix
};

/// Collects what to load where. Pointers are set when the region exists.
class layout {
 public:
  layout(const model_config& config, numeric_type type) : config_(config), type_(type) {}

  void plan(weights& into);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const std::vector<placement>& placements() const noexcept { return placements_; }
  void point(const std::byte* base) {
    for (auto& [target, offset] : matrices_) target->data = base + offset;
    for (auto& [target, offset] : vectors_) *target = reinterpret_cast<const float*>(base + offset);
  }

 private:
  struct part {
    const char* name;
    std::uint32_t rows;
  };
  std::uint64_t take(std::uint64_t bytes) {
    const auto offset = bytes_;
    bytes_ += (bytes + alignment - 1) / alignment * alignment;
    return offset;
  }
  void stack(matrix& into, const std::string& prefix, std::initializer_list<part> parts, std::uint32_t columns) {
    into.columns = columns;
    for (const auto& one : parts) {
      placements_.push_back({prefix + one.name + ".weight", one.rows, columns, bytes_, into.rows});
      into.rows += one.rows;
    }
    matrices_.emplace_back(&into, take(packed_elements(into.rows, columns) * bytes_of(type_)));
  }
  void stack_bias(const float*& into, const std::string& prefix, std::initializer_list<part> parts) {
    std::uint64_t size = 0;
    for (const auto& one : parts) {
      placements_.push_back({prefix + one.name + ".bias", one.rows, 0, bytes_ + size * sizeof(float), 0});
      size += one.rows;
    }
    vectors_.emplace_back(&into, take(size * sizeof(float)));
  }
  void norm(const float*& into, const std::string& name, std::uint32_t size) {
    placements_.push_back({name, size, 0, bytes_, 0});
    vectors_.emplace_back(&into, take(size * sizeof(float)));
  }
  void plan_layer(layer_weights& layer, const std::string& prefix);

  const model_config& config_;
  numeric_type type_;
  std::vector<placement> placements_;
  std::vector<std::pair<matrix*, std::uint64_t>> matrices_;
  std::vector<std::pair<const float**, std::uint64_t>> vectors_;
  std::uint64_t bytes_ = 0;
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

float read_f32(const std::byte* from) {
  float value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}
float read_f16(const std::byte* from) {
  std::uint16_t half = 0;
  std::memcpy(&half, from, sizeof half);
  return f16_to_f32(half);
}
float read_bf16(const std::byte* from) {
  std::uint16_t half = 0;
  std::memcpy(&half, from, sizeof half);
  return bf16_to_f32(half);
}

/// Calls function(read, bytes of an element) for the tensor's kind of number.
template <class Function>
void with_reader(tensor_dtype type, Function&& function) {
  if (type == tensor_dtype::f32) return function([](const std::byte* from) { return read_f32(from); }, std::size_t{4});
  if (type == tensor_dtype::f16) return function([](const std::byte* from) { return read_f16(from); }, std::size_t{2});
  function([](const std::byte* from) { return read_bf16(from); }, std::size_t{2});
}

/// Writes a tensor's rows into their lanes, 64 columns at a time: what a panel's rows share stays in L1.
template <class Element, class Lane, class Round>
void pack(const placement& place, const tensor_view& from, std::byte* base, Lane lane, Round round) {
  auto* matrix = reinterpret_cast<Element*>(base + place.offset);
  with_reader(from.dtype, [&](auto read, std::size_t size) {
    for (std::uint64_t row = 0; row < place.rows;) {
      const auto target = place.first_row + row;
      const auto end = std::min(place.rows, row + panel_width - target % panel_width);
      auto* panel = matrix + target / panel_width * panel_width * place.columns;
      for (std::uint64_t begin = 0; begin < place.columns; begin += 64) {
        for (auto r = row; r < end; ++r) {
          const auto* source = from.data.data() + r * place.columns * size;
          auto* into = panel + lane(place.first_row + r);
          for (auto k = begin; k < std::min(place.columns, begin + 64); ++k) into[k * panel_width] = round(read(source + k * size));
        }
      }
      row = end;
    }
  });
}

void load_tensor(const placement& place, const tensor_view& from, numeric_type type, std::byte* base) {
  if (place.columns == 0) {
    auto* into = reinterpret_cast<float*>(base + place.offset);
    with_reader(from.dtype, [&](auto read, std::size_t size) {
      for (std::uint64_t i = 0; i < place.rows; ++i) into[i] = read(from.data.data() + i * size);
    });
  } else if (type == numeric_type::f32) {
    pack<float>(place, from, base, lane_f32, [](float value) { return value; });
  } else {
    pack<std::uint16_t>(place, from, base, lane_bf16, f32_to_bf16);
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

numeric_type checkpoint_type(const model_config& config, const safetensors& tensors) {
  weights unused;
  layout places(config, numeric_type::bf16);
  places.plan(unused);
  for (const auto& place : places.placements()) {
    const auto* tensor = tensors.find(place.name);
    if (place.columns != 0 && (tensor == nullptr || tensor->dtype != tensor_dtype::bf16)) return numeric_type::f32;
  }
  return numeric_type::bf16;
}

expected<weights> load_weights(const model_config& config, const safetensors& tensors, numeric_type type) {
  weights loaded;
  loaded.type = type;
  layout places(config, type);
  places.plan(loaded);
  for (const auto& place : places.placements()) {
    if (auto error = check_tensor(place, tensors.find(place.name))) return *error;
  }
  auto memory = memory_region::allocate(places.bytes());
  if (!memory) return memory.error();
  for (const auto& place : places.placements()) load_tensor(place, *tensors.find(place.name), type, memory->data());
  places.point(memory->data());
  if (config.tied_embeddings) loaded.head = loaded.embedding;
  loaded.memory = std::move(*memory);
  return loaded;
}

}  // namespace troupe::core
