// A bound on bytes per second that lets a burst of one second through. Time is an argument; when it is set back, nothing is earned.
#pragma once

#include <algorithm>
#include <cstdint>

namespace troupe::store {

class token_bucket {
 public:
  /// Starts full. `bytes_per_s` 0: no bound. A single take may exceed `burst_bytes` when the bucket is full; it leaves a debt.
  token_bucket(std::uint64_t bytes_per_s, std::uint64_t burst_bytes)
      : rate_(static_cast<double>(bytes_per_s)), burst_(static_cast<double>(burst_bytes)), level_(burst_) {}

  [[nodiscard]] bool take(std::int64_t now_ms, std::uint64_t bytes) {
    if (rate_ == 0) return true;
    fill(now_ms);
    const auto wanted = static_cast<double>(bytes);
    if (level_ < std::min(wanted, burst_)) return false;
    level_ -= wanted;
    return true;
  }
  /// For what must be written whatever the level is.
  void charge(std::uint64_t bytes) { level_ -= static_cast<double>(bytes); }
  /// For what was taken and then not written.
  void give_back(std::uint64_t bytes) { level_ = std::min(burst_, level_ + static_cast<double>(bytes)); }

 private:
  void fill(std::int64_t now_ms) {
    if (started_ && now_ms > at_) level_ = std::min(burst_, level_ + rate_ * static_cast<double>(now_ms - at_) / 1000);
    at_ = now_ms;
    started_ = true;
  }
  double rate_, burst_, level_;
  std::int64_t at_ = 0;
  bool started_ = false;
};

}  // namespace troupe::store
