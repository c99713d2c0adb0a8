#include "gateway/actor_scheduler.hpp"

#include <boost/asio/defer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/detail/set_thread_name.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace troupe::gateway {
namespace {

// No actor keeps a thread for more messages than this at a time, nor hides from idle threads what it has woken.
constexpr std::size_t messages_per_resume = 8;

/// The bookkeeping is simple_actor_clock's, made safe for threads here.
class timeout_clock final : public caf::detail::simple_actor_clock {
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

class actor_scheduler final : public caf::scheduler::abstract_coordinator {
 public:
  using super = caf::scheduler::abstract_coordinator;

  actor_scheduler(caf::actor_system& system, const scheduled_settings& settings)
      : super{system}, io_{settings.io()}, work_{boost::asio::make_work_guard(*io_)}, threads_{settings.threads()}, unit_{*this} {}

  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>) {
    return new actor_scheduler(system, dynamic_cast<const scheduled_settings&>(system.config()));
  }

  /// Deferred: other threads see what an actor has woken when its few messages are done, and whoever is woken may well be next on this one. So
  /// no handler may wait for an actor.
  void enqueue(caf::resumable* job) override {
    boost::asio::defer(*io_, [this, job] { run(job); });
  }
  timeout_clock& clock() noexcept override { return clock_; }

 protected:
  void start() override {
    timer_ = start_thread("troupe.clock", [this] { clock_.run(); });
    for (auto& each : threads_) each = start_thread("troupe.actors", [this] { io_->run(); });
    super::start();
  }

  /// All actors have ended. Jobs that nobody will run give back what they hold.
  void stop() override {
    stop_actors();
    work_.reset();
    io_->stop();
    for (auto& each : threads_) each.join();
    is_ending_ = true;
    io_->restart();
    io_->poll();
    clock_.end();
    timer_.join();
  }

 private:
  /// Where actors say that one more is to run. Nothing of it belongs to one thread.
  class shared_unit final : public caf::execution_unit {
   public:
    explicit shared_unit(actor_scheduler& of) : caf::execution_unit{&of.system()}, of_{of} {}
    void exec_later(caf::resumable* job) override { of_.enqueue(job); }

   private:
    actor_scheduler& of_;
  };

  template <class Work>
  std::thread start_thread(const char* name, Work work) {
    return std::thread{[this, name, work] {
      caf::detail::set_thread_name(name);
      system().thread_started();
      work();
      system().thread_terminates();
    }};
  }

  void run(caf::resumable* job) {
    if (is_ending_) return cleanup_and_release(job);
    switch (job->resume(&unit_, messages_per_resume)) {
      case caf::resumable::resume_later:
        return enqueue(job);
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        return caf::intrusive_ptr_release(job);
      case caf::resumable::shutdown_execution_unit:
        return;
    }
  }

  timeout_clock clock_;
  std::shared_ptr<boost::asio::io_context> io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
  shared_unit unit_;
  std::thread timer_;
  bool is_ending_ = false;  // changed when no thread is left
};

}  // namespace

scheduled_settings::scheduled_settings(std::size_t threads)
    : threads_{threads}, io_{std::make_shared<boost::asio::io_context>(static_cast<int>(threads))} {
  load<actor_scheduler>();
}

}  // namespace troupe::gateway
