#include "gateway/asio_actor.hpp"

#include <boost/asio/defer.hpp>
#include <caf/actor_system.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

namespace troupe::gateway {
namespace {

// Messages per resume: other connections share the I/O thread.
constexpr std::size_t messages_per_resume = 64;

}  // namespace

asio_actor::asio_actor(caf::actor_config& config, const strand& where, io_context_ptr io)
    : caf::event_based_actor(config), unit_(*this, where, std::move(io)) {}

void asio_actor::enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) {
  // Only the sender that finds the mailbox blocked gets to call exec_later, and the actor cannot end before that resume ran.
  caf::scheduled_actor::enqueue(std::move(element), &unit_);
}

void asio_actor::launch(caf::execution_unit*, bool lazy, bool hide) { caf::scheduled_actor::launch(&unit_, lazy, hide); }

asio_actor::strand_unit::strand_unit(asio_actor& owner, const strand& where, io_context_ptr io)
    : caf::execution_unit(&owner.system()), owner_(owner), io_(std::move(io)), strand_(where) {}

void asio_actor::strand_unit::exec_later(caf::resumable* job) {
  if (job != static_cast<caf::resumable*>(&owner_)) {
    system().scheduler().enqueue(job);
    return;
  }
  // The caller passes on one reference to the owner; it lies in the queue until resume_owner.
  boost::asio::defer(strand_, [this] { resume_owner(); });
}

void asio_actor::strand_unit::resume_owner() {
  caf::resumable* job = &owner_;
  switch (job->resume(this, messages_per_resume)) {
    case caf::resumable::resume_later:
      exec_later(job);
      break;
    case caf::resumable::done:
    case caf::resumable::awaiting_message:
      // May destroy the owner and this unit with it: nothing may follow.
      caf::intrusive_ptr_release(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      break;
  }
}

}  // namespace troupe::gateway
