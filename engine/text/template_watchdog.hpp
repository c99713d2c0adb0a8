// Ends a render that runs too long: throws a Python exception into the rendering thread, again and again until it is gone.
// The rendering thread holds the interpreter's lock while it arms and disarms; lock order: interpreter, then `mutex_`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::text {

class template_watchdog {
 public:
  /// `interrupt` runs on the watchdog's thread once the time is over, then every few milliseconds. It calls `while_armed` with what
  /// it wants done, when it holds the interpreter's lock.
  using action = std::function<void()>;
  explicit template_watchdog(action interrupt);
  ~template_watchdog();

  void arm(std::chrono::milliseconds time);
  /// After this returns no interrupt is delivered any more.
  void disarm();
  /// Runs `what` unless the watchdog was disarmed, or armed anew, since the interrupt in progress was decided.
  void while_armed(const action& what);

 private:
  void run();

  action interrupt_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false, stopping_ = false;
  std::uint64_t generation_ = 0, firing_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::steady_clock::time_point wakes_at_ = std::chrono::steady_clock::time_point::max();  ///< when the thread looks again by itself
  std::thread thread_;
};

}  // namespace troupe::text
