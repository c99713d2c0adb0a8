// Real time for the timing backend: one thread, a bounded heap of actions. Behaviours never see it; they have their own clock.
// When full it does not block or drop: the earliest action runs before its time, so every step completes, some too early.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <thread>

#include "engine/core/timing_backend.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {

class real_timer : public core::timer {
 public:
  explicit real_timer(std::size_t actions_max = limits::timer_actions_max);
  /// Runs what still waits, at once, and joins. No call_at may be in progress, except from an action.
  ~real_timer() override;
  real_timer(const real_timer&) = delete;
  real_timer& operator=(const real_timer&) = delete;

  /// Since an arbitrary origin; never goes back.
  [[nodiscard]] core::instant now() const override;
  void call_at(core::instant when, std::function<void()> action) override;

 private:
  void work();

  const std::size_t actions_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<core::instant, std::function<void()>> waiting_;
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace troupe::actors
