// The forward pass of a step plan over paged KV. A step is cut into tiles of tokens, so that workspaces have a fixed size however
// long a prefill chunk is; batch invariance makes the cut invisible. Only rows that sample get logits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/cpu/compute_pool.hpp"
#include "engine/core/cpu/kernels.hpp"
#include "engine/core/cpu/kv_pool.hpp"
#include "engine/core/cpu/rope_table.hpp"
#include "engine/core/model/model.hpp"

namespace troupe::core {

struct forward_options {
  std::uint32_t samples_max = 16;   ///< rows of logits
  std::uint32_t tile_tokens = 128;  ///< each weight is read once per tile: prefill is bound by arithmetic from about 64 on
};

class forward_pass {
 public:
  /// Fails with io_failed (no memory) or invalid_request (an option is 0).
  static expected<std::unique_ptr<forward_pass>> create(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads,
                                                        const forward_options& options);

  /// Writes the plan's K and V into `kv` and computes the logits of its samples. The plan has passed plan_checker; `tokens` are the
  /// plan's with every from_slot resolved. Allocates nothing.
  void run(const step_plan& plan, std::span<const token_id> tokens, const kv_pool& kv);
  /// [vocabulary] of plan.samples[sample], until the next run.
  [[nodiscard]] std::span<float> logits(std::size_t sample) const noexcept;
  [[nodiscard]] compute_pool& threads() const noexcept { return *threads_; }

 private:
  /// One token of a tile.
  struct tile_token {
    token_id token = 0;
    std::uint32_t position = 0;
    const block_index* table = nullptr;
    std::int64_t sample = -1;  ///< into step_plan::samples when this is the token before a sample
  };

  forward_pass(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads, const forward_options& options);
  void run_tile(const kv_pool& kv);
  void attention_block(const kv_pool& kv, std::uint32_t layer);
  void shape_heads(const kv_pool& kv, std::uint32_t layer, std::size_t index);
  void attend(const kv_pool& kv, std::uint32_t layer);
  void mlp_block(const layer_weights& layer);
  void project_logits(std::uint32_t samples);
  void norm_tokens(const float* weight);
  void add_tokens();
  void multiply(const float* in, std::uint32_t rows, const matrix& weights, const float* bias, float* out);
  template <class Function>
  void split(std::size_t items, std::uint64_t work_per_item, Function&& function);

  std::shared_ptr<const model> model_;
  std::shared_ptr<compute_pool> threads_;
  forward_options options_;
  const kernel_table& kernels_;
  rope_table rope_;
  std::vector<tile_token> tile_;

  /// Carved out of one region; sizes in floats per token of a tile.
  memory_region memory_;
  float* hidden_ = nullptr;    ///< [hidden] the residual stream
  float* normed_ = nullptr;    ///< [hidden] normalised, later what a block adds
  float* qkv_ = nullptr;       ///< [query + 2 kv]
  float* attended_ = nullptr;  ///< [query]
  float* gate_up_ = nullptr;   ///< [2 intermediate]
  float* active_ = nullptr;    ///< [intermediate]
  float* cosines_ = nullptr;   ///< [head_dim / 2]
  float* sines_ = nullptr;     ///< [head_dim / 2]
  float* sampled_ = nullptr;   ///< [hidden] per sample
  float* logits_ = nullptr;    ///< [vocabulary] per sample
};

}  // namespace troupe::core
