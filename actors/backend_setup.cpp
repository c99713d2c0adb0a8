// Sizes are known before any device exists, so a config that cannot work is refused at the start and not by a worker's death.
#include "actors/backend_setup.hpp"

#include <chrono>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "actors/scripted_answers.hpp"
#include "engine/core/cpu/cpu_backend.hpp"
#include "engine/core/cpu/kernels.hpp"

namespace troupe::actors {
namespace {

using core::backend;
using backend_result = expected<std::unique_ptr<backend>>;

std::chrono::nanoseconds steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

/// [layer][k|v][kv_head][token][head_dim] in the model's number type.
std::uint64_t cpu_block_bytes(const core::model& model, std::uint32_t block_tokens) {
  return std::uint64_t{model.config.layers} * 2 * model.config.kv_width() * block_tokens * core::bytes_of(model.weights.type);
}

/// The kernels are part of it: blocks that others computed are equal within rounding, and no bit more.
std::uint64_t cpu_layout(const core::model& model, std::uint32_t block_tokens) {
  const auto& shape = model.config;
  const auto* kernels = core::find_kernels(model.weights.type);
  const auto text = "cpu " + std::string(kernels ? kernels->name : "") + " " + std::to_string(shape.layers) + " " +
                    std::to_string(shape.kv_heads) + " " + std::to_string(shape.head_dim) + " " + std::to_string(block_tokens) + " " +
                    std::to_string(core::bytes_of(model.weights.type));
  return XXH3_64bits(text.data(), text.size());
}

/// 64 KiB a token: about what an 8B model with grouped heads keeps in bf16; the timing backend has no bytes of its own.
constexpr std::uint64_t timing_token_bytes = 64 << 10;

std::uint64_t block_bytes_of(const worker_config& config, const core::model* weights) {
  return weights ? cpu_block_bytes(*weights, config.block_tokens) : timing_token_bytes * config.block_tokens;
}

expected<std::uint32_t> block_count_of(const worker_config& config, const core::model* weights) {
  if (config.blocks != 0) return config.blocks;
  const auto count = config.kv_bytes / block_bytes_of(config, weights);
  if (count == 0) return failure{errc::invalid_request, "the KV cache is smaller than one block", "worker.kv_bytes"};
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, no_block - 1));
}

backend_factory cpu_factory(const worker_config& config, std::uint32_t blocks, std::shared_ptr<const core::model> weights,
                            std::shared_ptr<core::compute_pool> compute) {
  core::cpu_backend_options options;
  options.block_count = blocks;
  options.block_tokens = config.block_tokens;
  options.slots = config.running_max;
  options.clock = steady_now;
  return [=](backend::completion done) -> backend_result {
    auto made = core::cpu_backend::create(weights, compute, options, std::move(done));
    if (!made) return made.error();
    return std::unique_ptr<backend>{std::move(*made)};
  };
}

expected<backend_factory> timing_factory(const worker_config& config, std::uint32_t blocks, const served_model& model,
                                         std::shared_ptr<core::timer> timer) {
  constexpr double microsecond = 1e-6;
  core::timing_backend_options options;
  options.traits.block_count = blocks;
  options.traits.block_tokens = config.block_tokens;
  options.traits.slots = config.running_max;
  options.traits.vocabulary = model.tokens->size();
  options.traits.block_bytes = timing_token_bytes * config.block_tokens;
  options.rates.step_base_s = config.timing_step_us * microsecond;
  options.rates.prefill_token_s = config.timing_prefill_token_us * microsecond;
  options.rates.decode_row_s = config.timing_decode_token_us * microsecond;
  options.rates.moved_block_s = config.timing_block_us * microsecond;
  if (!config.timing_script.empty()) {
    if (model.defaults.eos.empty())
      return failure{errc::invalid_request, "a script needs a model with an end token", "worker.timing_script"};
    auto script = load_scripted_answers(config.timing_script, *model.tokens, model.defaults.eos.front());
    if (!script) return script.error();
    options.tokens = std::move(*script);
  }
  return backend_factory{[=](backend::completion done) -> backend_result {
    return std::unique_ptr<backend>{std::make_unique<core::timing_backend>(options, *timer, std::move(done))};
  }};
}

}  // namespace

expected<worker_setup> make_worker_setup(const worker_config& config, worker_id id, const served_model& model,
                                         const std::shared_ptr<const core::model>& weights, const backend_commons& commons) {
  auto blocks = block_count_of(config, config.backend == "cpu" ? weights.get() : nullptr);
  if (!blocks) return blocks.error();
  worker_setup setup;
  setup.device.worker = id;
  setup.device.model = model.id;
  setup.device.scheduler.step_tokens_max = config.step_tokens_max;
  setup.device.scheduler.prefill_chunk_max = config.prefill_chunk_max;
  setup.device.scheduler.running_max = config.running_max;
  setup.device.scheduler.waiting_max = config.waiting_max;
  setup.device.scheduler.context_tokens_max = model.context_tokens_max;
  setup.device.pool.block_count = *blocks;
  setup.device.pool.block_tokens = config.block_tokens;
  setup.block_bytes = block_bytes_of(config, config.backend == "cpu" ? weights.get() : nullptr);
  if (config.backend == "cpu") {
    setup.layout = cpu_layout(*weights, config.block_tokens);
    setup.make_backend = cpu_factory(config, *blocks, weights, commons.compute);
    return setup;
  }
  if (config.backend != "timing")
    return failure{errc::invalid_request, "the backend " + config.backend + " is not part of this build", "worker.backend"};
  auto factory = timing_factory(config, *blocks, model, commons.timer);
  if (!factory) return factory.error();
  setup.make_backend = std::move(*factory);
  setup.feeds_a_device = false;
  return setup;
}

}  // namespace troupe::actors
