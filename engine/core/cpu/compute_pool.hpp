// The threads that do arithmetic, one pool per process, shared by all backends. A caller always works too and hands out chunks one
// at a time, so a neighbour that takes a processor away delays one chunk and not a barrier.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace troupe::core {

class compute_pool {
 public:
  /// `threads` counts the caller: 1 computes inline and starts none.
  explicit compute_pool(std::uint32_t threads);
  ~compute_pool();  ///< no parallel_for may be running
  compute_pool(const compute_pool&) = delete;
  compute_pool& operator=(const compute_pool&) = delete;

  [[nodiscard]] std::uint32_t threads() const noexcept { return static_cast<std::uint32_t>(workers_.size()) + 1; }

  /// Calls f(chunk) once for each chunk in [0, chunks), on any thread in any order, and returns when all have returned. Several
  /// threads may call it at once. f must not throw and must not call parallel_for.
  template <class Function>
  void parallel_for(std::size_t chunks, Function&& f) {
    job work;
    work.chunks = chunks;
    work.context = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
    work.call = [](void* context, std::size_t chunk) { (*static_cast<std::remove_reference_t<Function>*>(context))(chunk); };
    run(work);
  }

 private:
  /// Lives on its caller's stack: linked while threads may join, left when `users` is 0.
  struct job {
    void (*call)(void*, std::size_t) = nullptr;
    void* context = nullptr;
    std::size_t chunks = 0;
    std::atomic<std::size_t> next{0};
    std::uint32_t users = 0;  ///< workers inside; guarded by mutex_
    job* following = nullptr;
    void work_off() noexcept;
  };

  void run(job& work) noexcept;
  void worker_loop() noexcept;
  void spin_for_work() const noexcept;
  job* joinable() noexcept;

  std::mutex mutex_;
  std::condition_variable work_, left_;
  job* jobs_ = nullptr;
  bool stopping_ = false;
  std::atomic<std::uint32_t> waiting_{0};  ///< jobs in the list: what idle workers watch before they sleep
  std::vector<std::thread> workers_;
};

}  // namespace troupe::core
