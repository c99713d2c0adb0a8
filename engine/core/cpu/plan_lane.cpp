#include "engine/core/cpu/plan_lane.hpp"

#include <exception>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::core {

plan_lane::plan_lane(plan_lane_setup setup) : setup_(std::move(setup)), tickets_(setup_.tickets_after), thread_([this] { loop(); }) {}

plan_lane::~plan_lane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

ticket_id plan_lane::enqueue(job work) {
  const std::lock_guard lock(mutex_);
  const auto ticket = ++tickets_;
  if (queue_.size() < limits::backend_plans_waiting_max) {
    queue_.push_back({ticket, ticket, std::move(work)});
  } else if (!queue_.back().work) {
    queue_.back().last = ticket;
  } else {
    queue_.push_back({ticket, ticket, nullptr});
  }
  arrived_.notify_one();
  return ticket_id{ticket};
}

void plan_lane::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    execute(next);
    lock.lock();
  }
}

void plan_lane::execute(const entry& next) {
  for (auto ticket = next.ticket; ticket <= next.last; ++ticket) setup_.done(ticket_id{ticket}, run(next.work));
}

step_result plan_lane::run(const job& work) const {
  const auto now = [this] { return setup_.clock ? setup_.clock() : std::chrono::nanoseconds{0}; };
  step_result result;
  if (!work) {
    result.status = errc::queue_full;
    result.message = "too many plans are waiting";
    return result;
  }
  const auto start = now();
  try {
    result = work();
  } catch (const std::exception& error) {  // the standard library ran out of memory
    result.status = errc::internal;
    result.message = error.what();
  }
  result.seconds = std::chrono::duration<double>(now() - start).count();
  return result;
}

}  // namespace troupe::core
