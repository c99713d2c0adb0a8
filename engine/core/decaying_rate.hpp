// A rate that forgets: what a device did lately says what it will do next.
#pragma once

namespace troupe::core {

/// Amount per second over about the last ten additions.
struct decaying_rate {
  void add(double more, double more_seconds) {
    if (more <= 0 || more_seconds <= 0) return;
    amount = amount * 0.9 + more;
    seconds = seconds * 0.9 + more_seconds;
  }
  [[nodiscard]] double per_second() const { return seconds > 0 ? amount / seconds : 0; }
  double amount = 0, seconds = 0;
};

}  // namespace troupe::core
