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
  instruction_set instructions = instruction_set::best;
};

class forward_pass {
 public:
  /// Fails with io_failed (no memory), invalid_request (an option is 0) or unsupported_parameter (instructions that are not here).
  static expected<std::unique_ptr<forward_pass>> create(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads,
                                                        const forward_options& options);

  /// Writes the plan's K and V into `kv` and computes the logits of its samples. The plan has passed plan_checker; `tokens` are the
  /// plan's with every from_slot resolved. Allocates nothing.
  void run(const step_plan& plan, std::span<const token_id> tokens, const kv_pool& kv);
  /// [vocabulary] of plan.samples[sample], until the next run.
  [[nodiscard]] std::span<float> logits(std::size_t sample) const noexcept;
  [[nodiscard]] compute_pool& threads() const noexcept { return *threads_; }
  [[nodiscard]] const kernel_table& kernels() const noexcept { return kernels_; }

 private:
  /// One token of a tile.
  struct tile_token {
    token_id token = 0;
    std::uint32_t position = 0;
    const block_index* table = nullptr;
    std::int64_t sample = -1;  ///< into step_plan::samples when this is the token before a sample
  };

  /// Consecutive tokens of one sequence: their attention shares passes over K and V.
  struct tile_run {
    std::size_t first = 0;
    std::uint32_t tokens = 0;
  };
  /// Rows of floats, each padded to an odd number of cache lines: rows at a power of two apart would share their places in L1.
  struct workspace {
    float* data = nullptr;
    std::size_t stride = 0;
    float* operator[](std::size_t row) const noexcept { return data + row * stride; }
  };

  forward_pass(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads, const forward_options& options,
               const kernel_table& kernels);
  void find_runs();
  void run_tile(const kv_pool& kv);
  void attention_block(const kv_pool& kv, std::uint32_t layer);
  void shape_heads(const kv_pool& kv, std::uint32_t layer, std::size_t index);
  void attend(const kv_pool& kv, std::uint32_t layer);
  void mlp_block(const layer_weights& layer);
  void project_logits(std::uint32_t samples);
  void norm_tokens(const float* weight);
  void add_tokens();
  void multiply(const workspace& in, std::uint32_t rows, const matrix& weights, const float* bias, const workspace& out);
  template <class Function>
  void split(std::size_t items, std::uint64_t work_per_item, Function&& function);

  std::shared_ptr<const model> model_;
  std::shared_ptr<compute_pool> threads_;
  forward_options options_;
  const kernel_table& kernels_;
  rope_table rope_;
  std::vector<tile_token> tile_;
  std::vector<tile_run> runs_;

  /// Carved out of one region; widths in floats per token of a tile.
  memory_region memory_;
  workspace hidden_;    ///< [hidden] the residual stream
  workspace normed_;    ///< [hidden] normalised, later what a block adds
  workspace qkv_;       ///< [query + 2 kv]
  workspace attended_;  ///< [query]
  workspace gate_up_;   ///< [2 intermediate]
  workspace active_;    ///< [intermediate]
  workspace cosines_;   ///< [head_dim / 2]
  workspace sines_;     ///< [head_dim / 2]
  workspace sampled_;   ///< [hidden] per sample
  workspace logits_;    ///< [vocabulary] per sample
};

}  // namespace troupe::core
