// Plans of one kind, executed one after another on a thread of their own. A backend has a lane for what computes and one for what
// moves blocks, so that transfers overlap with steps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/core/backend.hpp"

namespace troupe::core {

struct plan_lane_setup {
  std::uint64_t tickets_after = 0;                  ///< the lanes of one backend number their plans apart from each other
  std::function<std::chrono::nanoseconds()> clock;  ///< for step_result::seconds, which stay 0 without; called on the lane's thread
  backend::completion done;                         ///< called on the lane's thread
};

class plan_lane {
 public:
  /// What a plan does; what it throws becomes errc::internal.
  using job = std::function<step_result()>;

  explicit plan_lane(plan_lane_setup setup);
  /// Finishes what is queued.
  ~plan_lane();
  plan_lane(const plan_lane&) = delete;
  plan_lane& operator=(const plan_lane&) = delete;

  /// Never blocks. Beyond limits::backend_plans_waiting_max a plan completes with queue_full.
  ticket_id enqueue(job work);

 private:
  /// Refused plans leave only their tickets; neighbours share one entry, so the queue stays bounded whatever a caller does.
  struct entry {
    std::uint64_t ticket = 0, last = 0;
    job work;  ///< empty: [ticket, last] were refused
  };

  void loop();
  void execute(const entry& next);
  [[nodiscard]] step_result run(const job& work) const;

  plan_lane_setup setup_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<entry> queue_;
  std::uint64_t tickets_;
  bool stopping_ = false;
  std::thread thread_;  ///< last: it uses everything above
};

}  // namespace troupe::core
