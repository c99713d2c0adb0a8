// Stops asking what does not answer. Time is an argument.
//
//   closed --failures_max failures in a row--> open --backoff has passed--> half open --success--> closed
//                                               ^------------- failure, backoff doubled ---'
#pragma once

#include <algorithm>
#include <cstdint>

namespace troupe::store {

struct circuit_breaker_options {
  std::uint32_t failures_max = 3;
  std::int64_t backoff_ms_min = 500;  ///< doubled by each failed probe
  std::int64_t backoff_ms_max = 30'000;
};

class circuit_breaker {
 public:
  enum class phase : std::uint8_t { closed, open, half_open };

  explicit circuit_breaker(const circuit_breaker_options& options) : options_(options), backoff_ms_(options.backoff_ms_min) {}

  /// Whether to try now. Calls come one after another, so there is one probe at a time; one whose end nobody told is repeated.
  [[nodiscard]] bool admits(std::int64_t now_ms) {
    const auto wait_ms = probe_at_ - now_ms;
    if (phase_ == phase::open && (wait_ms <= 0 || wait_ms > backoff_ms_)) phase_ = phase::half_open;  // longer: the clock was set back
    return phase_ != phase::open;
  }
  void succeeded() {
    phase_ = phase::closed;
    failures_ = 0;
    backoff_ms_ = options_.backoff_ms_min;
  }
  void failed(std::int64_t now_ms) {
    if (phase_ == phase::half_open) backoff_ms_ = std::min(2 * backoff_ms_, options_.backoff_ms_max);
    if (phase_ == phase::closed && ++failures_ < options_.failures_max) return;
    phase_ = phase::open;
    probe_at_ = now_ms + backoff_ms_;
    ++openings_;
  }
  [[nodiscard]] phase state() const noexcept { return phase_; }
  [[nodiscard]] std::uint64_t openings() const noexcept { return openings_; }

 private:
  circuit_breaker_options options_;
  phase phase_ = phase::closed;
  std::uint32_t failures_ = 0;
  std::int64_t backoff_ms_, probe_at_ = 0;
  std::uint64_t openings_ = 0;
};

}  // namespace troupe::store
