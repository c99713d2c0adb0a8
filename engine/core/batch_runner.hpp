// Runs sequences on a backend without actors: the worker's loop as a blocking call, for `troupe generate`, tests and benches.
// The backend completes on its own thread; this thread plans and waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/core/scheduler.hpp"

namespace troupe::core {

class batch_runner {
 public:
  using backend_maker = std::function<std::unique_ptr<backend>(backend::completion)>;

  batch_runner(const scheduler_options& scheduling, const block_pool_options& blocks, const backend_maker& make);
  ~batch_runner();

  /// As scheduler::admit.
  expected<std::monostate> admit(sequence_spec spec) { return scheduler_.admit(std::move(spec)); }
  void cancel(request_id id, std::vector<sequence_event>& events) { scheduler_.cancel(id, finish_reason::cancelled, events); }
  /// Submits what can be planned and waits for one completion. False, at once, when nothing is left to do.
  bool step(std::vector<sequence_event>& events);

  [[nodiscard]] block_pool& pool() noexcept { return pool_; }
  [[nodiscard]] const core::scheduler& scheduler() const noexcept { return scheduler_; }
  [[nodiscard]] const backend_traits& traits() const noexcept { return backend_->traits(); }

 private:
  struct done {
    ticket_id ticket;
    step_result result;
  };
  done wait();

  block_pool pool_;
  core::scheduler scheduler_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<done> done_;
  std::unique_ptr<backend> backend_;  // last: its destructor may still complete tickets
};

}  // namespace troupe::core
