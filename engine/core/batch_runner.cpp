#include "engine/core/batch_runner.hpp"

namespace troupe::core {

batch_runner::batch_runner(const scheduler_options& scheduling, const block_pool_options& blocks, const backend_maker& make)
    : pool_(blocks), scheduler_(scheduling, pool_) {
  backend_ = make([this](ticket_id ticket, step_result result) {
    const std::lock_guard lock(mutex_);
    done_.push_back({ticket, std::move(result)});
    arrived_.notify_one();
  });
}

batch_runner::~batch_runner() { backend_.reset(); }

bool batch_runner::step(std::vector<sequence_event>& events) {
  while (auto plan = scheduler_.plan(instant{0}, events)) scheduler_.submitted(backend_->submit(std::move(*plan)));
  if (scheduler_.idle()) return false;
  auto next = wait();
  scheduler_.complete(next.ticket, next.result, events);
  (void)pool_.take_events();  // nobody routes to this pool: kept, they would grow with every block
  return true;
}

batch_runner::done batch_runner::wait() {
  // No deadline: a backend calls its completion exactly once per ticket, and this program has nothing else to do.
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return !done_.empty(); });
  auto next = std::move(done_.front());
  done_.pop_front();
  return next;
}

}  // namespace troupe::core
