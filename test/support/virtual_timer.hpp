// A timer whose time is a number that the test moves.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "engine/core/timing_backend.hpp"

namespace troupe::core {

class virtual_timer : public timer {
 public:
  [[nodiscard]] instant now() const override { return now_; }
  void call_at(instant when, std::function<void()> action) override { actions_.emplace(std::max(when, now_), std::move(action)); }

  /// Calls everything due until `until`, in order of time, then of registration; time ends there.
  void advance_to(instant until) {
    while (!actions_.empty() && actions_.begin()->first <= until) run_next();
    now_ = std::max(now_, until);
  }
  /// Goes to the next action and calls it; false when there is none.
  bool run_next() {
    if (actions_.empty()) return false;
    auto next = actions_.extract(actions_.begin());
    now_ = next.key();
    next.mapped()();
    return true;
  }

 private:
  instant now_{0};
  std::multimap<instant, std::function<void()>> actions_;
};

}  // namespace troupe::core
