// An actor that runs on a connection's strand instead of CAF's scheduler: its handlers may touch the connection without locks,
// and a delta reaches the socket with one hop. It is a stock event-based actor with its own mailbox; only the place where it is
// resumed differs.
#pragma once

#include <caf/event_based_actor.hpp>
#include <caf/execution_unit.hpp>

#include "gateway/strand.hpp"

namespace troupe::gateway {

class asio_actor : public caf::event_based_actor {
 public:
  asio_actor(caf::actor_config& config, const strand& where, io_context_ptr io);

  using caf::event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* host) override;
  void launch(caf::execution_unit* host, bool lazy, bool hide) override;

 private:
  /// Resumes its owner on the strand. Whatever else is handed to it (the actors that we send to) goes to CAF's scheduler.
  class strand_unit final : public caf::execution_unit {
   public:
    strand_unit(asio_actor& owner, const strand& where, io_context_ptr io);
    void exec_later(caf::resumable* job) override;

   private:
    void resume_owner();
    asio_actor& owner_;
    io_context_ptr io_;  // before strand_: destroyed after it
    strand strand_;
  };

  strand_unit unit_;
};

}  // namespace troupe::gateway
