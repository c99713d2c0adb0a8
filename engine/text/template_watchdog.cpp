#include "engine/text/template_watchdog.hpp"

#include <utility>

namespace troupe::text {
namespace {
// 5 ms: the interpreter's own switch interval, so a repeat never waits longer than the lock does.
constexpr std::chrono::milliseconds repeat_interval{5};
}  // namespace

template_watchdog::template_watchdog(action interrupt) : interrupt_(std::move(interrupt)), thread_([this] { run(); }) {}

template_watchdog::~template_watchdog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void template_watchdog::arm(std::chrono::milliseconds time) {
  std::lock_guard lock(mutex_);
  armed_ = true;
  ++generation_;
  deadline_ = std::chrono::steady_clock::now() + time;
  // Mostly it sleeps until the deadline of an earlier render: waking it for each would cost more than a short render.
  if (deadline_ < wakes_at_) changed_.notify_all();
}

void template_watchdog::disarm() {
  std::lock_guard lock(mutex_);
  armed_ = false;
}

void template_watchdog::while_armed(const action& what) {
  std::lock_guard lock(mutex_);
  if (armed_ && generation_ == firing_) what();
}

void template_watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wakes_at_ = armed_ ? deadline_ : std::chrono::steady_clock::time_point::max();
    if (!armed_) {
      changed_.wait(lock);
      continue;
    }
    if (std::chrono::steady_clock::now() < deadline_) {
      changed_.wait_until(lock, deadline_);
      continue;
    }
    firing_ = generation_;
    deadline_ += repeat_interval;
    lock.unlock();  // the rendering thread may hold the interpreter's lock and want ours
    interrupt_();
    lock.lock();
  }
}

}  // namespace troupe::text
