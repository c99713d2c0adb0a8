// Drives a forward pass by hand: sequences with block tables in a shuffled physical order, any mix of chunks in a step.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "engine/core/cpu/forward.hpp"
#include "test/support/tiny_model.hpp"

namespace troupe::test {

struct runner_options {
  std::uint32_t threads = 1, block_tokens = 32, block_count = 64, tile_tokens = 128;
  std::uint64_t shuffle = 0;  ///< 0: blocks in ascending order
  core::instruction_set instructions = core::instruction_set::best;
};

class forward_runner {
 public:
  forward_runner(const std::shared_ptr<const core::model>& model, const runner_options& options)
      : model_(model), kv_(take(core::kv_pool::allocate(model->config, {options.block_count, options.block_tokens, element_bytes()}))) {
    pass_ = take(core::forward_pass::create(model, std::make_shared<core::compute_pool>(options.threads),
                                            {16, options.tile_tokens, options.instructions}));
    free_.resize(options.block_count);
    std::iota(free_.rbegin(), free_.rend(), 0U);
    random_source random{options.shuffle};
    for (std::size_t i = free_.size(); options.shuffle != 0 && i > 1; --i) std::swap(free_[i - 1], free_[random.below(i)]);
  }

  /// A new sequence with blocks for all its tokens; nothing is computed.
  std::size_t add(std::vector<token_id> tokens) {
    sequence one{std::move(tokens), 0, {}};
    while (one.table.size() * kv_.block_tokens() < one.tokens.size()) {
      one.table.push_back(free_.back());
      free_.pop_back();
    }
    sequences_.push_back(std::move(one));
    return sequences_.size() - 1;
  }

  struct part {
    std::size_t sequence = 0;
    std::uint32_t tokens = 0;
  };
  /// Computes the next tokens of each part; the logits after each part's last token.
  std::vector<std::vector<float>> step(const std::vector<part>& parts) {
    core::step_plan plan;
    for (const auto& part : parts) {
      auto& one = sequences_[part.sequence];
      core::plan_row row;
      row.token_begin = static_cast<std::uint32_t>(plan.tokens.size());
      row.token_count = part.tokens;
      row.position = one.computed;
      row.table_begin = static_cast<std::uint32_t>(plan.block_tables.size());
      row.table_count = static_cast<std::uint32_t>(one.table.size());
      const auto begin = one.tokens.begin() + one.computed;
      plan.tokens.insert(plan.tokens.end(), begin, begin + part.tokens);
      plan.block_tables.insert(plan.block_tables.end(), one.table.begin(), one.table.end());
      plan.samples.emplace_back().row = static_cast<std::uint32_t>(plan.rows.size());
      plan.rows.push_back(row);
      one.computed += part.tokens;
    }
    pass_->run(plan, plan.tokens, kv_);
    std::vector<std::vector<float>> logits;
    for (std::size_t i = 0; i < parts.size(); ++i) logits.emplace_back(pass_->logits(i).begin(), pass_->logits(i).end());
    return logits;
  }

  [[nodiscard]] std::uint32_t remaining(std::size_t sequence) const {
    return static_cast<std::uint32_t>(sequences_[sequence].tokens.size()) - sequences_[sequence].computed;
  }

  /// K and V of the computed tokens, in logical order.
  [[nodiscard]] std::vector<std::byte> kv_of(std::size_t sequence) const {
    std::vector<std::byte> all;
    const auto& config = model_->config;
    const auto& one = sequences_[sequence];
    const auto append = [&](const std::byte* head, std::uint32_t offset) {
      const auto bytes = std::size_t{config.head_dim} * element_bytes();
      all.insert(all.end(), head + offset * bytes, head + (offset + 1) * bytes);
    };
    for (std::uint32_t p = 0; p < one.computed; ++p) {
      const auto block = one.table[p / kv_.block_tokens()];
      for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
        for (std::uint32_t head = 0; head < config.kv_heads; ++head) {
          append(kv_.keys(block, layer, head), p % kv_.block_tokens());
          append(kv_.values(block, layer, head), p % kv_.block_tokens());
        }
      }
    }
    return all;
  }

 private:
  struct sequence {
    std::vector<token_id> tokens;
    std::uint32_t computed = 0;
    std::vector<block_index> table;
  };
  template <class T>
  static T take(expected<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  [[nodiscard]] std::uint32_t element_bytes() const { return core::bytes_of(model_->weights.type); }

  std::shared_ptr<const core::model> model_;
  core::kv_pool kv_;
  std::unique_ptr<core::forward_pass> pass_;
  std::vector<block_index> free_;
  std::vector<sequence> sequences_;
};

/// What a sequence gives when it is decoded alone, token by token, on one thread: the yardstick of every other run.
struct decoded_alone {
  std::vector<std::vector<float>> logits;  ///< after each token
  std::vector<std::byte> kv;
};
inline decoded_alone decode_alone(const std::shared_ptr<const core::model>& model, const std::vector<token_id>& tokens,
                                  core::instruction_set instructions = core::instruction_set::best) {
  forward_runner runner(model, {.instructions = instructions});
  const auto sequence = runner.add(tokens);
  decoded_alone result;
  while (runner.remaining(sequence) > 0) result.logits.push_back(runner.step({{sequence, 1}}).front());
  result.kv = runner.kv_of(sequence);
  return result;
}

/// What the number type's tables can be forced to on this machine: scalar always.
inline std::vector<core::instruction_set> available_instructions() {
  std::vector<core::instruction_set> all;
  for (const auto set : {core::instruction_set::scalar, core::instruction_set::avx2, core::instruction_set::avx512})
    if (core::find_kernels(core::numeric_type::f32, set) != nullptr) all.push_back(set);
  return all;
}

}  // namespace troupe::test
