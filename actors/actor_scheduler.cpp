#include "actors/actor_scheduler.hpp"

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/policy/work_sharing.hpp>
#include <caf/scheduler/coordinator.hpp>
#include <caf/settings.hpp>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace troupe::actors {
namespace {

// No actor keeps a thread for more messages than this at a time.
constexpr std::size_t messages_per_resume = 300;

/// The bookkeeping is simple_actor_clock's, made safe for threads here. The class between is what CAF's coordinator has to return; its queue and loop
/// stay unused.
class timeout_clock final : public caf::detail::thread_safe_actor_clock {
 public:
  using plain = caf::detail::simple_actor_clock;

  void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type, std::uint64_t id) override {
    change([&] { plain::set_ordinary_timeout(t, self, type, id); });
  }
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override {
    change([&] { plain::set_request_timeout(t, self, id); });
  }
  void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type, std::uint64_t id) override {
    change([&] { plain::set_multi_timeout(t, self, type, id); });
  }
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override {
    change([&] { plain::cancel_ordinary_timeout(self, type); });
  }
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override {
    change([&] { plain::cancel_request_timeout(self, id); });
  }
  void cancel_timeouts(caf::abstract_actor* self) override {
    change([&] {
      plain::cancel_timeouts(self);
      drop_messages(caf::actor_control_block::from(self));
    });
  }
  void schedule_message(time_point t, caf::strong_actor_ptr receiver, caf::mailbox_element_ptr content) override {
    change([&] {
      auto& due = messages_[receiver.get()];
      std::erase_if(due, [now = now()](time_point each) { return each <= now; });
      due.push_back(t);
      plain::schedule_message(t, std::move(receiver), std::move(content));
    });
  }
  void schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender, caf::message content) override {
    change([&] { plain::schedule_message(t, std::move(target), std::move(sender), std::move(content)); });
  }
  void cancel_all() override {
    change([&] { call_off_all(); });
  }

  void run() {
    std::unique_lock guard{lock_};
    while (!ended_) {
      wakes_at_ = schedule().empty() ? time_point::max() : schedule().begin()->first;
      if (wakes_at_ == time_point::max())
        changed_.wait(guard);
      else
        changed_.wait_until(guard, wakes_at_);
      trigger_expired_timeouts();
    }
    call_off_all();
  }

  void end() {
    std::unique_lock guard{lock_};
    ended_ = true;
    changed_.notify_one();
  }

 private:
  template <class Change>
  void change(Change make) {
    std::unique_lock guard{lock_};
    make();
    if (!schedule().empty() && schedule().begin()->first < wakes_at_) changed_.notify_one();
  }

  /// An actor has ended: what it was to be told later would keep its memory until then.
  void drop_messages(const caf::actor_control_block* receiver) {
    const auto found = messages_.find(receiver);
    if (found == messages_.end()) return;
    for (const auto due : found->second) {
      auto [at, end] = schedule_.equal_range(due);
      while (at != end) {
        const bool is_theirs = at->second->subtype == actor_msg_type && static_cast<const actor_msg&>(*at->second).receiver.get() == receiver;
        at = is_theirs ? schedule_.erase(at) : std::next(at);
      }
    }
    messages_.erase(found);
  }

  /// Actors that end with their last message must not look for others of theirs in a schedule that is half gone.
  void call_off_all() {
    messages_.clear();
    plain::cancel_all();
  }

  std::unordered_map<const caf::actor_control_block*, std::vector<time_point>> messages_;  ///< when they are due, or were, by receiver that lives
  // Recursive: what leaves the schedule may have been the last to hold an actor, which ends there and then and calls its timeouts off. There
  // are none, for each would hold it: so nothing is erased under whoever walks the schedule.
  std::recursive_mutex lock_;
  std::condition_variable_any changed_;
  time_point wakes_at_ = time_point::max();
  bool ended_ = false;
};

/// CAF's, but who is woken finds the queue unlocked: woken under the lock, a thread that takes its waker's core waits for that lock at once.
struct unlocked_wake : caf::policy::work_sharing {
  template <class Coordinator>
  void enqueue(Coordinator* self, caf::resumable* job) {
    queue_type one{job};
    auto& shared = d(self);
    {
      const std::lock_guard guard{shared.lock};
      shared.queue.splice(shared.queue.end(), one);
    }
    shared.cv.notify_one();
  }
  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    enqueue(self, job);
  }
  template <class Worker>
  void external_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
};

class actor_scheduler final : public caf::scheduler::coordinator<unlocked_wake> {
 public:
  using super = caf::scheduler::coordinator<unlocked_wake>;
  using super::super;

  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>) { return new actor_scheduler(system); }

 protected:
  void start() override {
    timer_ = std::thread{[this] {
      caf::detail::set_thread_name("troupe.clock");
      system().thread_started();
      clock_.run();
      system().thread_terminates();
    }};
    super::start();
  }
  void stop() override {
    super::stop();
    clock_.end();
    timer_.join();
  }
  timeout_clock& clock() noexcept override { return clock_; }

 private:
  timeout_clock clock_;
  std::thread timer_;
};

}  // namespace

void use_actor_scheduler(caf::actor_system_config& settings, std::size_t threads) {
  settings.load<actor_scheduler>();
  settings.set("scheduler.max-throughput", messages_per_resume);
  settings.set("scheduler.max-threads", threads);
}

}  // namespace troupe::actors
