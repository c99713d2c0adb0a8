#include "actors/real_timer.hpp"

#include <utility>

namespace troupe::actors {

real_timer::real_timer(std::size_t actions_max) : actions_max_{actions_max}, thread_{[this] { work(); }} {}

real_timer::~real_timer() {
  {
    const std::lock_guard lock{mutex_};
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

core::instant real_timer::now() const { return std::chrono::steady_clock::now().time_since_epoch(); }

void real_timer::call_at(core::instant when, std::function<void()> action) {
  bool is_next = false;
  {
    const std::lock_guard lock{mutex_};
    const auto placed = waiting_.emplace(when, std::move(action));
    is_next = placed == waiting_.begin() || waiting_.size() > actions_max_;
  }
  if (is_next) changed_.notify_all();  // else the thread wakes for another first
}

void real_timer::work() {
  std::unique_lock lock{mutex_};
  while (!is_stopping_ || !waiting_.empty()) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto due = waiting_.begin()->first;
    if (!is_stopping_ && waiting_.size() <= actions_max_ && now() < due) {
      changed_.wait_until(lock, std::chrono::steady_clock::time_point{due});
      continue;
    }
    auto action = std::move(waiting_.extract(waiting_.begin()).mapped());
    lock.unlock();
    action();
    action = nullptr;  // Outside the lock: what it holds may be the last owner of something that calls back.
    lock.lock();
  }
}

}  // namespace troupe::actors
