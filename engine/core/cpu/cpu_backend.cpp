#include "engine/core/cpu/cpu_backend.hpp"

#include <exception>
#include <limits>

namespace troupe::core {
namespace {

constexpr token_id nothing_sampled = -1;
// Far beyond the steps of a lifetime.
constexpr std::uint64_t transfer_tickets_after = std::uint64_t{1} << 62;

step_result failed(errc status, std::string message) {
  step_result result;
  result.status = status;
  result.message = std::move(message);
  return result;
}

/// Forbidden tokens can never be drawn.
void apply_mask(std::span<float> logits, std::span<const std::uint64_t> mask) {
  for (std::size_t token = 0; token < logits.size(); ++token) {
    const bool is_allowed = token / 64 < mask.size() && (mask[token / 64] >> (token % 64) & 1U) != 0;
    if (!is_allowed) logits[token] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace

expected<std::unique_ptr<cpu_backend>> cpu_backend::create(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads,
                                                           cpu_backend_options options, completion done) {
  auto kv = kv_pool::allocate(model->config, {options.block_count, options.block_tokens, bytes_of(model->weights.type)});
  if (!kv) return kv.error();
  const auto config = model->config;
  auto pass = forward_pass::create(std::move(model), std::move(threads), {options.slots, options.tile_tokens, options.instructions});
  if (!pass) return pass.error();
  return std::unique_ptr<cpu_backend>(new cpu_backend(config, std::move(options), std::move(done), std::move(*kv), std::move(*pass)));
}

cpu_backend::cpu_backend(const model_config& config, cpu_backend_options options, completion done, kv_pool kv,
                         std::unique_ptr<forward_pass> pass)
    : options_(std::move(options)),
      traits_{"cpu-" + std::string(pass->kernels().name),
              options_.block_count,
              options_.block_tokens,
              options_.slots,
              config.vocabulary,
              kv.block_bytes()},
      kv_(std::move(kv)),
      pass_(std::move(pass)),
      checker_({options_.block_count, options_.block_tokens, options_.slots, config.vocabulary, config.context_tokens}),
      slot_tokens_(options_.slots, nothing_sampled),
      steps_({0, options_.clock, done}),
      transfers_({transfer_tickets_after, options_.clock, done}) {}

ticket_id cpu_backend::submit(step_plan plan) {
  return steps_.enqueue([this, plan = std::move(plan)] { return run(plan); });
}
ticket_id cpu_backend::submit(copy_plan plan) {
  return steps_.enqueue([this, plan = std::move(plan)] { return run(plan); });
}
ticket_id cpu_backend::submit(transfer_plan plan) {
  return transfers_.enqueue([this, plan = std::move(plan)] { return run(plan); });
}

step_result cpu_backend::run(const transfer_plan& plan) const {
  if (auto error = checker_.check(plan); !error.empty()) return failed(errc::internal, "invalid transfer: " + error);
  for (const auto& move : plan.moves) {
    if (plan.to == transfer_plan::direction::to_host)
      kv_.read(move.block, move.host);
    else
      kv_.write(move.block, move.host);
  }
  return {};
}

step_result cpu_backend::run(const copy_plan& plan) {
  if (auto error = checker_.check(plan); !error.empty()) return failed(errc::internal, "invalid copy: " + error);
  for (const auto& [from, to] : plan.blocks) kv_.copy(from, to);
  return {};
}

step_result cpu_backend::run(const step_plan& plan) {
  auto error = checker_.check(plan);
  if (error.empty()) error = resolve(plan);
  // Nothing of a failed step may be used, so a step that follows must not find its slots' older tokens either.
  for (const auto& sample : plan.samples) {
    if (sample.row < plan.rows.size() && plan.rows[sample.row].slot < options_.slots)
      slot_tokens_[plan.rows[sample.row].slot] = nothing_sampled;
  }
  if (!error.empty()) return failed(errc::internal, "invalid step: " + error);
  pass_->run(plan, tokens_, kv_);
  step_result result;
  sample_all(plan, result.sampled);
  for (std::size_t i = 0; i < plan.samples.size(); ++i) slot_tokens_[plan.rows[plan.samples[i].row].slot] = result.sampled[i].token;
  return result;
}

/// Fills `tokens_`: the plan's tokens with those that name slots replaced.
std::string cpu_backend::resolve(const step_plan& plan) {
  tokens_.assign(plan.tokens.begin(), plan.tokens.end());
  for (auto& token : tokens_) {
    if (token >= 0) continue;
    const auto slot = slot_of(token);
    if (slot >= options_.slots || slot_tokens_[slot] == nothing_sampled) return "slot " + std::to_string(slot) + " has sampled nothing";
    token = slot_tokens_[slot];
  }
  return "";
}

void cpu_backend::sample_all(const step_plan& plan, std::vector<sampled_token>& sampled) {
  sampled.resize(plan.samples.size());
  std::vector<std::exception_ptr> errors(plan.samples.size());
  pass_->threads().parallel_for(plan.samples.size(), [&](std::size_t i) {
    try {
      sample_one(plan, i, sampled[i]);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void cpu_backend::sample_one(const step_plan& plan, std::size_t index, sampled_token& into) {
  const auto& request = plan.samples[index];
  const auto& row = plan.rows[request.row];
  const auto logits = pass_->logits(index);
  if (request.mask_words != 0) apply_mask(logits, std::span(plan.masks).subspan(request.mask_begin, request.mask_words));
  const auto history = std::span(plan.history).subspan(request.history_begin, std::size_t{request.history_prompt} + request.history_output);
  into = sample(logits, request.params, std::uint64_t{row.position} + row.token_count, history.first(request.history_prompt),
                history.subspan(request.history_prompt));
}

}  // namespace troupe::core
