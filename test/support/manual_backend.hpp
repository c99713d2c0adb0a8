// A backend that computes nothing until the test says so. The token sampled at position p is p mod vocabulary, so a test knows
// every answer; tickets complete one by one, in the order of submission unless asked otherwise.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "engine/core/backend.hpp"

namespace troupe::test {

/// What the test holds of a backend: it outlives the backend itself.
struct manual_device {
  struct step {
    ticket_id ticket;
    core::step_plan plan;
  };
  core::backend_traits traits{"manual", 16, 4, 4, 1000, 64};
  core::backend::completion done;
  struct transfer {
    ticket_id ticket;
    core::transfer_plan plan;
  };
  std::deque<step> submitted;  ///< not completed yet
  std::deque<transfer> transfers;
  std::uint64_t tickets = 0;
  double seconds_per_step = 0.001;
  bool is_alive = false;

  static core::step_result result_of(const core::step_plan& plan, double seconds, std::uint32_t vocabulary) {
    core::step_result result;
    result.seconds = seconds;
    for (const auto& sample : plan.samples) {
      const auto& row = plan.rows[sample.row];
      core::sampled_token token;
      token.token = static_cast<token_id>((row.position + row.token_count) % vocabulary);
      result.sampled.push_back(token);
    }
    return result;
  }

  /// Completes the oldest step. The caller lets the actors run.
  void finish() {
    auto step = std::move(submitted.front());
    submitted.pop_front();
    done(step.ticket, result_of(step.plan, seconds_per_step, traits.vocabulary));
  }
  /// Completes the oldest transfer, by default well.
  void finish_transfer(errc status = errc::none) {
    auto moved = std::move(transfers.front());
    transfers.pop_front();
    core::step_result result;
    result.status = status;
    result.seconds = seconds_per_step;
    done(moved.ticket, std::move(result));
  }
  void fail(errc status, std::string message) {
    auto step = std::move(submitted.front());
    submitted.pop_front();
    core::step_result result;
    result.status = status;
    result.message = std::move(message);
    done(step.ticket, std::move(result));
  }
};

class manual_backend : public core::backend {
 public:
  manual_backend(std::shared_ptr<manual_device> device, completion done) : device_{std::move(device)} {
    device_->done = std::move(done);
    device_->is_alive = true;
  }
  ~manual_backend() override {
    while (!device_->submitted.empty()) device_->finish();  // as the contract says: waits for what is in flight
    while (!device_->transfers.empty()) device_->finish_transfer();
    device_->is_alive = false;
  }

  [[nodiscard]] const core::backend_traits& traits() const noexcept override { return device_->traits; }
  ticket_id submit(core::step_plan plan) override {
    device_->submitted.push_back({{++device_->tickets}, std::move(plan)});
    return {device_->tickets};
  }
  ticket_id submit(core::copy_plan) override { return submit(core::step_plan{}); }
  ticket_id submit(core::transfer_plan plan) override {
    device_->transfers.push_back({{++device_->tickets}, std::move(plan)});
    return {device_->tickets};
  }

 private:
  std::shared_ptr<manual_device> device_;
};

}  // namespace troupe::test
