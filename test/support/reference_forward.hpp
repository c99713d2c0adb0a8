// The forward pass of a dense decoder in float64, written from the papers as plain loops over whole sequences: no paging, no
// caching, no tiles, nothing shared with the engine. Slow and obviously right.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "messages/base/ids.hpp"
#include "test/support/tiny_model.hpp"

namespace troupe::test {

using row = std::vector<double>;

class reference_forward {
 public:
  /// Angle of pair `i` at `position`; the plain one unless a test scales it.
  std::function<double(double frequency)> scale_frequency = [](double frequency) { return frequency; };

  explicit reference_forward(const tiny_model& model) : model_(model), spec_(model.spec) {}

  /// Logits after each token: [tokens][vocabulary].
  [[nodiscard]] std::vector<row> run(const std::vector<token_id>& tokens) const {
    std::vector<row> x;
    for (const auto token : tokens) x.push_back(matrix_row("model.embed_tokens.weight", static_cast<std::size_t>(token), spec_.hidden));
    for (std::uint32_t layer = 0; layer < spec_.layers; ++layer) {
      const auto prefix = "model.layers." + std::to_string(layer) + ".";
      attention(prefix, x);
      for (auto& token : x) add(token, mlp(prefix, norm(token, prefix + "post_attention_layernorm.weight")));
    }
    std::vector<row> logits;
    const std::string head = spec_.tied ? "model.embed_tokens.weight" : "lm_head.weight";
    for (const auto& token : x) logits.push_back(product(norm(token, "model.norm.weight"), head, ""));
    return logits;
  }

 private:
  [[nodiscard]] const std::vector<float>& values(const std::string& name) const { return model_.tensors.at(name).values; }
  [[nodiscard]] row matrix_row(const std::string& name, std::size_t index, std::size_t width) const {
    const auto& all = values(name);
    return {all.begin() + static_cast<std::ptrdiff_t>(index * width), all.begin() + static_cast<std::ptrdiff_t>((index + 1) * width)};
  }
  static void add(row& into, const row& from) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] += from[i];
  }
  [[nodiscard]] row product(const row& in, const std::string& weight, const std::string& bias) const {
    const auto& matrix = values(weight);
    row out(matrix.size() / in.size(), 0);
    for (std::size_t n = 0; n < out.size(); ++n) {
      if (!bias.empty()) out[n] = static_cast<double>(values(bias)[n]);
      for (std::size_t k = 0; k < in.size(); ++k) out[n] += in[k] * static_cast<double>(matrix[n * in.size() + k]);
    }
    return out;
  }
  [[nodiscard]] row linear(const row& in, const std::string& name, bool bias) const {
    return product(in, name + ".weight", bias ? name + ".bias" : "");
  }
  [[nodiscard]] row norm(const row& in, const std::string& weight) const {
    double squares = 0;
    for (const auto value : in) squares += value * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(in.size()) + spec_.rms_norm_eps);
    row out = in;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] *= scale * static_cast<double>(values(weight)[i]);
    return out;
  }
  [[nodiscard]] row mlp(const std::string& prefix, const row& in) const {
    row gate = linear(in, prefix + "mlp.gate_proj", spec_.mlp_bias);
    const row up = linear(in, prefix + "mlp.up_proj", spec_.mlp_bias);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    return linear(gate, prefix + "mlp.down_proj", spec_.mlp_bias);
  }
  /// Splits into heads, norms each where the model does, and rotates by the position.
  [[nodiscard]] std::vector<row> heads(const row& all, const std::string& norm_name, std::size_t position) const {
    std::vector<row> out;
    const std::size_t size = spec_.head_dim, half = size / 2;
    for (std::size_t begin = 0; begin < all.size(); begin += size) {
      row head(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(begin + size));
      if (spec_.qk_norm) head = norm(head, norm_name);
      for (std::size_t i = 0; i < half; ++i) {
        const double frequency = scale_frequency(std::pow(spec_.theta, -2.0 * static_cast<double>(i) / static_cast<double>(size)));
        const double angle = static_cast<double>(position) * frequency, a = head[i], b = head[i + half];
        head[i] = a * std::cos(angle) - b * std::sin(angle);
        head[i + half] = a * std::sin(angle) + b * std::cos(angle);
      }
      out.push_back(head);
    }
    return out;
  }
  void attention(const std::string& prefix, std::vector<row>& x) const {
    std::vector<std::vector<row>> queries, keys;
    std::vector<row> values_of;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const row in = norm(x[t], prefix + "input_layernorm.weight");
      const auto name = prefix + "self_attn.";
      queries.push_back(heads(linear(in, name + "q_proj", spec_.qkv_bias), name + "q_norm.weight", t));
      keys.push_back(heads(linear(in, name + "k_proj", spec_.qkv_bias), name + "k_norm.weight", t));
      values_of.push_back(linear(in, name + "v_proj", spec_.qkv_bias));
    }
    const std::size_t group = spec_.heads / spec_.kv_heads, size = spec_.head_dim;
    for (std::size_t t = 0; t < x.size(); ++t) {
      row mixed(spec_.heads * size, 0);
      for (std::size_t h = 0; h < spec_.heads; ++h) {
        row weights(t + 1, 0);
        double total = 0;
        for (std::size_t s = 0; s <= t; ++s) {
          for (std::size_t d = 0; d < size; ++d) weights[s] += queries[t][h][d] * keys[s][h / group][d];
          total += weights[s] = std::exp(weights[s] / std::sqrt(static_cast<double>(size)));
        }
        for (std::size_t s = 0; s <= t; ++s) {
          for (std::size_t d = 0; d < size; ++d) mixed[h * size + d] += weights[s] / total * values_of[s][h / group * size + d];
        }
      }
      add(x[t], linear(mixed, prefix + "self_attn.o_proj", spec_.output_bias));
    }
  }

  const tiny_model& model_;
  const tiny_spec& spec_;
};

}  // namespace troupe::test
