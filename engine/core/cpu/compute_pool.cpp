#include "engine/core/cpu/compute_pool.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace troupe::core {
namespace {

// About 10 us of pauses: the gap between two layers of a small model. Longer spinning takes time from busy neighbours.
constexpr int spins = 256;

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

compute_pool::compute_pool(std::uint32_t threads) {
  for (std::uint32_t i = 1; i < threads; ++i) workers_.emplace_back([this] { worker_loop(); });
}

compute_pool::~compute_pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void compute_pool::job::work_off() noexcept {
  for (auto chunk = next.fetch_add(1, std::memory_order_relaxed); chunk < chunks; chunk = next.fetch_add(1, std::memory_order_relaxed)) {
    call(context, chunk);
  }
}

void compute_pool::run(job& work) noexcept {
  if (workers_.empty() || work.chunks <= 1) return work.work_off();
  {
    const std::lock_guard lock(mutex_);
    work.following = jobs_;
    jobs_ = &work;
    waiting_.fetch_add(1, std::memory_order_relaxed);
  }
  if (work.chunks == 2) {
    work_.notify_one();
  } else {
    work_.notify_all();
  }
  work.work_off();
  // Every chunk is taken. Unlink first, so that nobody joins; then wait for those who are inside.
  std::unique_lock lock(mutex_);
  for (job** link = &jobs_; *link != nullptr; link = &(*link)->following) {
    if (*link == &work) {
      *link = work.following;
      break;
    }
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  left_.wait(lock, [&work] { return work.users == 0; });
}

compute_pool::job* compute_pool::joinable() noexcept {
  for (job* work = jobs_; work != nullptr; work = work->following) {
    if (work->next.load(std::memory_order_relaxed) < work->chunks) return work;
  }
  return nullptr;
}

void compute_pool::spin_for_work() const noexcept {
  for (int i = 0; i < spins && waiting_.load(std::memory_order_relaxed) == 0; ++i) pause();
}

void compute_pool::worker_loop() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    job* work = joinable();
    if (work == nullptr) {
      lock.unlock();
      spin_for_work();
      lock.lock();
      work_.wait(lock, [this, &work] { return stopping_ || (work = joinable()) != nullptr; });
      if (work == nullptr) return;
    }
    ++work->users;
    lock.unlock();
    work->work_off();
    lock.lock();
    if (--work->users == 0) left_.notify_all();
  }
}

}  // namespace troupe::core
