// What the two kinds of call actors have in common: finding the directory, trying once more when it or a session was just gone,
// and an end that is told exactly once.
#pragma once

#include <caf/all.hpp>
#include <chrono>
#include <memory>

#include "gateway/actor_calls.hpp"
#include "gateway/asio_actor.hpp"
#include "messages/errors.hpp"

namespace troupe::gateway {

class link_actor : public asio_actor {
 public:
  link_actor(caf::actor_config& config, std::shared_ptr<shared_link> link, std::chrono::milliseconds timeout);

 protected:
  /// Calls `ask` with a directory, `fail` when there is none.
  template <class Ask>
  void with_directory(Ask ask) {
    if (link_->directory) return ask(link_->directory);
    request(link_->node, remaining(), directory_request{})
        .then(
            [this, ask](const session_directory_actor& directory) {
              link_->directory = directory;
              ask(directory);
            },
            [this](caf::error& error) { fail(to_failure(error)); });
  }

  /// For the error arm of a request: `again` once when the receiver had died meanwhile, or a session between its spawn and the offer
  /// of a turn (the directory has, or makes, its next incarnation); else fail.
  template <class Again>
  void retry_or_fail(const caf::error& error, Again again) {
    link_->directory = session_directory_actor{};
    const bool gone = error == caf::sec::request_receiver_down || to_failure(error).code == errc::session_dead;
    if (!gone || retried_) return fail(to_failure(error));
    retried_ = true;
    again();
  }

  /// Tells the connection, once, and ends this actor.
  virtual void fail(failure error) = 0;

  /// Until the deadline, at least 1 ms.
  [[nodiscard]] std::chrono::milliseconds remaining() const;
  shared_link& link() { return *link_; }

 private:
  std::shared_ptr<shared_link> link_;
  std::chrono::steady_clock::time_point deadline_;
  bool retried_ = false;
};

/// The connection's end of a link_actor. An actor that has ended ignores the message.
class actor_handle final : public actor_call {
 public:
  actor_handle(caf::actor actor, request_id id) : actor_(std::move(actor)), id_(id) {}
  actor_handle(const actor_handle&) = delete;
  actor_handle& operator=(const actor_handle&) = delete;
  ~actor_handle() override { cancel(errc::cancelled); }

  void cancel(errc why) override {
    if (actor_) caf::anon_send(actor_, turn_cancel{id_, why});
    actor_ = nullptr;
  }

 private:
  caf::actor actor_;
  request_id id_;
};

}  // namespace troupe::gateway
