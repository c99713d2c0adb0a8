// How often a supervisor may restart before it must give up: a fault that comes back at once is not cured by another restart.
#pragma once

#include <chrono>
#include <deque>

#include "messages/base/limits.hpp"

namespace troupe::actors {

class restart_budget {
 public:
  using instant = std::chrono::nanoseconds;

  /// Counts one restart at `now`. False: it would be one too many within the window.
  bool take(instant now) {
    while (!times_.empty() && now - times_.front() >= instant{limits::restart_window}) times_.pop_front();
    if (times_.size() >= limits::restarts_max) return false;
    times_.push_back(now);
    ++taken_;
    return true;
  }
  [[nodiscard]] std::uint32_t taken() const noexcept { return taken_; }

 private:
  std::deque<instant> times_;
  std::uint32_t taken_ = 0;
};

}  // namespace troupe::actors
