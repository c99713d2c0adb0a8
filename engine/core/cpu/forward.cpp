#include "engine/core/cpu/forward.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/core/model/packed_matrix.hpp"

namespace troupe::core {
namespace {

// 131072 multiply-adds: at least 5 us of vector work, several times what it costs to hand a chunk to another thread.
constexpr std::uint64_t chunk_work_min = 131072;
// A multiple of every table's tile of rows (12 and 6).
constexpr std::uint32_t rows_per_chunk = 48;
constexpr std::uint64_t floats_per_line = 16;

/// An odd number of cache lines.
std::uint64_t padded(std::uint64_t width) { return ((width + floats_per_line - 1) / floats_per_line | 1) * floats_per_line; }

}  // namespace

expected<std::unique_ptr<forward_pass>> forward_pass::create(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads,
                                                             const forward_options& options) {
  // 4096: far above any batch or tile that pays; keeps workspaces within 64-bit arithmetic.
  if (options.samples_max < 1 || options.samples_max > 4096) {
    return failure{errc::invalid_request, "the batch must be in [1, 4096]", "slots"};
  }
  if (options.tile_tokens < 1 || options.tile_tokens > 4096) {
    return failure{errc::invalid_request, "tile_tokens must be in [1, 4096]", "tile_tokens"};
  }
  const auto* kernels = find_kernels(model->weights.type, options.instructions);
  if (kernels == nullptr) return failure{errc::unsupported_parameter, "this machine lacks the instructions asked for", "instructions"};
  std::unique_ptr<forward_pass> pass(new forward_pass(std::move(model), std::move(threads), options, *kernels));
  const auto& config = pass->model_->config;
  struct part {
    workspace* into;
    std::uint64_t rows, width;
  };
  const std::uint64_t tile = options.tile_tokens, samples = options.samples_max;
  const std::array<part, 10> parts{{{&pass->hidden_, tile, config.hidden},
                                    {&pass->normed_, tile, config.hidden},
                                    {&pass->qkv_, tile, config.query_width() + 2 * config.kv_width()},
                                    {&pass->attended_, tile, config.query_width()},
                                    {&pass->gate_up_, tile, 2 * config.intermediate},
                                    {&pass->active_, tile, config.intermediate},
                                    {&pass->cosines_, tile, config.head_dim / 2},
                                    {&pass->sines_, tile, config.head_dim / 2},
                                    {&pass->sampled_, samples, config.hidden},
                                    {&pass->logits_, samples, config.vocabulary}}};
  std::uint64_t total = 0;
  for (const auto& one : parts) total += one.rows * padded(one.width);
  auto memory = memory_region::allocate(total * sizeof(float));
  if (!memory) return memory.error();
  pass->memory_ = std::move(*memory);
  auto* next = reinterpret_cast<float*>(pass->memory_.data());
  for (const auto& one : parts) {
    *one.into = {next, padded(one.width)};
    next += one.rows * padded(one.width);
  }
  return pass;
}

forward_pass::forward_pass(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads, const forward_options& options,
                           const kernel_table& kernels)
    : model_(std::move(model)),
      threads_(std::move(threads)),
      options_(options),
      kernels_(kernels),
      rope_(model_->config.rope, model_->config.head_dim) {
  tile_.reserve(options.tile_tokens);
  runs_.reserve(options.tile_tokens);
}

std::span<float> forward_pass::logits(std::size_t sample) const noexcept { return {logits_[sample], model_->config.vocabulary}; }

/// Calls function(begin, end) over [0, items), in parallel when there is enough work.
template <class Function>
void forward_pass::split(std::size_t items, std::uint64_t work_per_item, Function&& function) {
  const auto per_chunk = static_cast<std::size_t>(std::max<std::uint64_t>(1, chunk_work_min / std::max<std::uint64_t>(1, work_per_item)));
  const auto chunks = (items + per_chunk - 1) / per_chunk;
  threads_->parallel_for(chunks, [&](std::size_t chunk) { function(chunk * per_chunk, std::min(items, (chunk + 1) * per_chunk)); });
}

/// Split by panels; by rows too where there are too few panels for everyone. No cut changes a bit.
void forward_pass::multiply(const workspace& in, std::uint32_t rows, const matrix& weights, const float* bias, const workspace& out) {
  const auto panels = panels_of(weights.rows);
  const auto rows_each = panels >= 4 * std::uint64_t{threads_->threads()} ? rows : rows_per_chunk;
  const auto parts = (rows + rows_each - 1) / rows_each;
  split(panels * parts, std::uint64_t{rows_each} * weights.columns * panel_width, [&](std::size_t begin, std::size_t end) {
    for (auto item = begin; item < end; ++item) {
      const auto panel = static_cast<std::uint32_t>(item / parts), row = static_cast<std::uint32_t>(item % parts) * rows_each;
      kernels_.matmul({in[row], in.stride, std::min(rows_each, rows - row), weights, bias, out[row], out.stride}, panel, panel + 1);
    }
  });
}

void forward_pass::run(const step_plan& plan, std::span<const token_id> tokens, const kv_pool& kv) {
  std::size_t sample = 0;
  tile_.clear();
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const auto& row = plan.rows[i];
    const bool samples = sample < plan.samples.size() && plan.samples[sample].row == i;
    for (std::uint32_t t = 0; t < row.token_count; ++t) {
      const bool is_last = t + 1 == row.token_count;
      tile_.push_back({tokens[row.token_begin + t], row.position + t, plan.block_tables.data() + row.table_begin,
                       samples && is_last ? static_cast<std::int64_t>(sample) : -1});
      if (tile_.size() == options_.tile_tokens) run_tile(kv);
    }
    if (samples) ++sample;
  }
  if (!tile_.empty()) run_tile(kv);
  if (!plan.samples.empty()) project_logits(static_cast<std::uint32_t>(plan.samples.size()));
}

void forward_pass::run_tile(const kv_pool& kv) {
  const auto& config = model_->config;
  const std::size_t hidden = config.hidden;
  find_runs();
  split(tile_.size(), hidden + 32 * std::size_t{config.head_dim}, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i) {
      kernels_.embed(model_->weights.embedding, tile_[i].token, hidden_[i]);
      rope_.fill(tile_[i].position, cosines_[i], sines_[i]);
    }
  });
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    attention_block(kv, layer);
    mlp_block(model_->weights.layers[layer]);
  }
  for (std::size_t i = 0; i < tile_.size(); ++i) {
    if (tile_[i].sample < 0) continue;
    std::memcpy(sampled_[static_cast<std::size_t>(tile_[i].sample)], hidden_[i], hidden * sizeof(float));
  }
  tile_.clear();
}

void forward_pass::norm_tokens(const float* weight) {
  const std::size_t hidden = model_->config.hidden;
  split(tile_.size(), 2 * hidden, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i) {
      kernels_.rms_norm(hidden_[i], weight, normed_[i], model_->config.hidden, model_->config.rms_norm_eps);
    }
  });
}

void forward_pass::add_tokens() {
  const std::size_t hidden = model_->config.hidden;
  split(tile_.size(), hidden, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i) kernels_.add(hidden_[i], normed_[i], model_->config.hidden);
  });
}

void forward_pass::attention_block(const kv_pool& kv, std::uint32_t layer) {
  const auto& weights = model_->weights.layers[layer];
  const auto rows = static_cast<std::uint32_t>(tile_.size());
  norm_tokens(weights.attention_norm);
  multiply(normed_, rows, weights.qkv, weights.qkv_bias, qkv_);
  split(tile_.size(), 4 * std::uint64_t{weights.qkv.rows}, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i) shape_heads(kv, layer, i);
  });
  attend(kv, layer);
  multiply(attended_, rows, weights.output, weights.output_bias, normed_);
  add_tokens();
}

/// Norms and rotates the heads of one token, and stores its K and V.
void forward_pass::shape_heads(const kv_pool& kv, std::uint32_t layer, std::size_t index) {
  const auto& config = model_->config;
  const auto& weights = model_->weights.layers[layer];
  float* query = qkv_[index];
  float* key = query + config.query_width();
  const float* value = key + config.kv_width();
  const auto shape = [&](float* heads, std::uint32_t count, const float* norm) {
    for (std::uint32_t h = 0; h < count; ++h) {
      float* head = heads + std::size_t{h} * config.head_dim;
      if (norm != nullptr) kernels_.rms_norm(head, norm, head, config.head_dim, config.rms_norm_eps);
      kernels_.rotate(head, cosines_[index], sines_[index], config.head_dim);
    }
  };
  shape(query, config.heads, weights.query_norm);
  shape(key, config.kv_heads, weights.key_norm);
  const auto& token = tile_[index];
  const auto block = token.table[token.position / kv.block_tokens()];
  const auto bytes = std::size_t{token.position % kv.block_tokens()} * config.head_dim * bytes_of(kernels_.type);
  for (std::uint32_t h = 0; h < config.kv_heads; ++h) {
    kernels_.store_kv(key + std::size_t{h} * config.head_dim, kv.keys(block, layer, h) + bytes, config.head_dim);
    kernels_.store_kv(value + std::size_t{h} * config.head_dim, kv.values(block, layer, h) + bytes, config.head_dim);
  }
}

void forward_pass::find_runs() {
  const auto tokens_max = std::max(1U, attention_rows / (model_->config.heads / model_->config.kv_heads));
  runs_.clear();
  for (std::size_t i = 0; i < tile_.size(); ++i) {
    const bool continues = i > 0 && tile_[i].table == tile_[i - 1].table && tile_[i].position == tile_[i - 1].position + 1;
    if (continues && runs_.back().tokens < tokens_max) {
      ++runs_.back().tokens;
    } else {
      runs_.push_back({i, 1});
    }
  }
}

void forward_pass::attend(const kv_pool& kv, std::uint32_t layer) {
  const auto& config = model_->config;
  const std::uint32_t group = config.heads / config.kv_heads;
  const std::size_t group_width = std::size_t{group} * config.head_dim;
  std::uint64_t positions = 0;
  for (const auto& token : tile_) positions += token.position + 1;
  split(runs_.size() * config.kv_heads, 2 * group_width * positions / runs_.size(), [&](std::size_t begin, std::size_t end) {
    for (auto item = begin; item < end; ++item) {
      const auto& run = runs_[item / config.kv_heads];
      const auto head = static_cast<std::uint32_t>(item % config.kv_heads);
      kernels_.attend({.query = qkv_[run.first] + head * group_width,
                       .query_stride = qkv_.stride,
                       .out = attended_[run.first] + head * group_width,
                       .out_stride = attended_.stride,
                       .tokens = run.tokens,
                       .group = group,
                       .head_dim = config.head_dim,
                       .position = tile_[run.first].position,
                       .keys = kv.keys(0, layer, head),
                       .values = kv.values(0, layer, head),
                       .block_stride = kv.block_elements(),
                       .block_tokens = kv.block_tokens(),
                       .table = tile_[run.first].table});
    }
  });
}

void forward_pass::mlp_block(const layer_weights& layer) {
  const std::size_t width = model_->config.intermediate;
  const auto rows = static_cast<std::uint32_t>(tile_.size());
  norm_tokens(layer.mlp_norm);
  multiply(normed_, rows, layer.gate_up, layer.gate_up_bias, gate_up_);
  split(rows, 16 * width, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i) {
      const float* gate = gate_up_[i];
      kernels_.silu_multiply(gate, gate + width, active_[i], model_->config.intermediate);
    }
  });
  multiply(active_, rows, layer.down, layer.down_bias, normed_);
  add_tokens();
}

void forward_pass::project_logits(std::uint32_t samples) {
  const auto& config = model_->config;
  for (std::size_t i = 0; i < samples; ++i) {
    float* row = sampled_[i];
    kernels_.rms_norm(row, model_->weights.final_norm, row, config.hidden, config.rms_norm_eps);
  }
  multiply(sampled_, samples, model_->weights.head, nullptr, logits_);
}

}  // namespace troupe::core
