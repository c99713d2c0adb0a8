// The backend that computes on processors: one thread of its own executes plans in order, the shared compute pool does the
// arithmetic, and a second thread moves blocks to and from the host. Everything a step needs is allocated when the backend is made.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/cpu/forward.hpp"
#include "engine/core/cpu/plan_check.hpp"
#include "engine/core/cpu/plan_lane.hpp"

namespace troupe::core {

struct cpu_backend_options {
  std::uint32_t block_count = 0;
  std::uint32_t block_tokens = 32;
  std::uint32_t slots = 16;
  std::uint32_t tile_tokens = 128;                       ///< see forward_options
  instruction_set instructions = instruction_set::best;  ///< another one only for tests and measurements
  std::function<std::chrono::nanoseconds()> clock;       ///< for step_result::seconds, which stay 0 without; called on the backend's thread
};

class cpu_backend final : public backend {
 public:
  /// Fails with invalid_request (an option), unsupported_parameter (its instructions) or io_failed (no memory). `done` is called on the
  /// backend's own thread.
  static expected<std::unique_ptr<cpu_backend>> create(std::shared_ptr<const model> model, std::shared_ptr<compute_pool> threads,
                                                       cpu_backend_options options, completion done);

  [[nodiscard]] const backend_traits& traits() const noexcept override { return traits_; }
  /// A plan that is invalid completes with errc::internal, one beyond limits::backend_plans_waiting_max with queue_full.
  ticket_id submit(step_plan plan) override;
  ticket_id submit(copy_plan plan) override;
  ticket_id submit(transfer_plan plan) override;

 private:
  cpu_backend(const model_config& config, cpu_backend_options options, completion done, kv_pool kv, std::unique_ptr<forward_pass> pass);
  step_result run(const step_plan& plan);
  step_result run(const copy_plan& plan);
  step_result run(const transfer_plan& plan) const;
  std::string resolve(const step_plan& plan);
  void sample_all(const step_plan& plan, std::vector<sampled_token>& sampled);
  void sample_one(const step_plan& plan, std::size_t index, sampled_token& into);

  cpu_backend_options options_;
  backend_traits traits_;
  kv_pool kv_;
  std::unique_ptr<forward_pass> pass_;
  plan_checker checker_;
  std::vector<token_id> tokens_;       ///< of the running step, resolved
  std::vector<token_id> slot_tokens_;  ///< what each slot sampled last; -1: nothing usable

  plan_lane steps_, transfers_;        ///< last: they use everything above
};

}  // namespace troupe::core
