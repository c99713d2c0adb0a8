// An actor system on CAF's deterministic scheduler: one thread, virtual time, messages in the order they were sent.
// Requests are made by small actors of the fixture, so nothing here ever blocks; an answer that never comes is `no answer`.
#pragma once

#include <unistd.h>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "messages/errors.hpp"
#include "messages/types.hpp"

namespace troupe::test {

/// The answer to one request, when it comes. `Results` are the types of the response message.
template <class... Results>
class answer {
 public:
  [[nodiscard]] bool ready() const { return slot_->has_value(); }
  [[nodiscard]] bool failed() const { return ready() && !slot_->value(); }
  /// The values of a good answer; throws when there is none yet or when it is a failure.
  const std::tuple<Results...>& values() const { return *slot_->value(); }
  template <std::size_t Index = 0>
  const auto& get() const {
    return std::get<Index>(values());
  }
  [[nodiscard]] failure error() const {
    if (!failed()) return {errc::none, "no failure", {}};
    return slot_->value().error();
  }
  [[nodiscard]] errc code() const { return error().code; }

  using slot = std::optional<expected<std::tuple<Results...>>>;
  std::shared_ptr<slot> slot_ = std::make_shared<slot>();
};

/// What one probe actor received, in order.
template <class Message>
using inbox = std::shared_ptr<std::vector<Message>>;

class actor_fixture {
 public:
  using instant = std::chrono::nanoseconds;

  actor_fixture() : system_(configured(config_)) { alarm(100); }  // a hang is a failure

  ~actor_fixture() {
    for (auto& each : tracked_) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
    tracked_.clear();
    run();
    alarm(0);
  }

  caf::actor_system& system() { return system_; }
  caf::scheduler::test_coordinator& scheduler() { return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler()); }
  /// Virtual time as the actors see it.
  instant now() { return scheduler().clock().now().time_since_epoch(); }

  /// Handles messages until there are none. Time stands still.
  void run() { scheduler().run(); }

  /// Lets time pass in `step`s and handles what falls due in each.
  void advance(instant time, instant step = std::chrono::milliseconds{10}) {
    for (run(); time > instant::zero(); time -= step) {
      scheduler().advance_time(std::min(time, step));
      run();
    }
  }

  /// Ends `handle`'s actor with the fixture.
  template <class Handle>
  Handle track(Handle handle) {
    tracked_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }
  template <class Handle>
  void end(const Handle& handle, caf::exit_reason reason = caf::exit_reason::user_shutdown) {
    caf::anon_send_exit(handle, reason);
    run();
  }

  template <class... Arguments>
  auto spawn(Arguments&&... arguments) {
    auto handle = track(system_.spawn(std::forward<Arguments>(arguments)...));
    run();
    return handle;
  }

  /// Sends without a sender.
  template <class Handle, class... Contents>
  void tell(const Handle& whom, Contents&&... contents) {
    caf::anon_send(caf::actor_cast<caf::actor>(whom), std::forward<Contents>(contents)...);
    run();
  }

  /// Sends a request; the answer fills in as the system runs. Gives up after a virtual day.
  template <class... Results, class Handle, class... Contents>
  answer<Results...> request(const Handle& whom, Contents... contents) {
    answer<Results...> result;
    auto ask = [slot = result.slot_, whom = caf::actor_cast<caf::actor>(whom), contents...](caf::event_based_actor* self) {
      self->request(whom, std::chrono::minutes{24 * 60}, contents...)
          .then([slot](const Results&... values) { slot->emplace(std::tuple<Results...>{values...}); },
                [slot](const caf::error& error) { slot->emplace(to_failure(error)); });
    };
    track(system_.spawn(ask));
    run();
    return result;
  }

  /// An actor that keeps every `Message` it is told. `Handle` is the typed interface it stands for.
  template <class Handle, class Message>
  std::pair<Handle, inbox<Message>> probe() {
    auto kept = std::make_shared<std::vector<Message>>();
    auto keep = [kept](caf::event_based_actor*) -> caf::behavior { return {[kept](const Message& message) { kept->push_back(message); }}; };
    return {caf::actor_cast<Handle>(track(system_.spawn(keep))), kept};
  }

  /// Why an actor ended, when it has.
  template <class Handle>
  std::shared_ptr<std::optional<caf::error>> watch(const Handle& whom) {
    auto reason = std::make_shared<std::optional<caf::error>>();
    auto wait = [reason, whom = caf::actor_cast<caf::actor>(whom)](caf::event_based_actor* self) -> caf::behavior {
      self->set_down_handler([self, reason](const caf::down_msg& down) {
        *reason = down.reason;
        self->quit();
      });
      self->monitor(whom);
      return {[](caf::unit_t) {}};
    };
    track(system_.spawn(wait));
    run();
    return reason;
  }

 private:
  static caf::actor_system_config& configured(caf::actor_system_config& config) {
    config.set("scheduler.policy", caf::atom("testing"));
    register_message_types(config);
    return config;
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
  std::vector<caf::actor> tracked_;
};

}  // namespace troupe::test
