// What is to be written to a disk, one by one and in order, by a thread of its own: who hands it in never waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::gateway {

template <class Task>
class write_queue {
 public:
  write_queue(std::size_t waiting_max, std::function<void(Task&)> write)
      : waiting_max_(waiting_max), write_(std::move(write)), thread_([this] { run(); }) {}
  /// Writes what is waiting.
  ~write_queue() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  write_queue(const write_queue&) = delete;
  write_queue& operator=(const write_queue&) = delete;

  /// False, and the task stays the caller's: so many are waiting already.
  [[nodiscard]] bool offer(Task&& task) { return put(task, waiting_max_); }
  /// However many are waiting: for tasks whose number is bounded elsewhere.
  void add(Task task) { put(task, waiting_.max_size()); }

 private:
  bool put(Task& task, std::size_t waiting_max) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= waiting_max) return false;
      waiting_.push_back(std::move(task));
    }
    changed_.notify_all();
    return true;
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      {
        auto next = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        write_(next);
      }  // what a task holds is let go of without the lock: its owner may hand in another
      lock.lock();
    }
  }

  std::size_t waiting_max_;
  std::function<void(Task&)> write_;
  std::mutex mutex_;  // of waiting_ and ending_
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace troupe::gateway
