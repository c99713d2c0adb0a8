// The threads that actors run on and the clock of their timeouts, in CAF's place.
//
// CAF's own clock takes each timeout that is set or called off as an event for a thread of its own: two thread switches for each request
// between actors, of which a turn makes ten. This one notes them under a lock and wakes its thread only for what is due before all else.
//
// The threads run an io_context, whose jobs the actors are. A gateway whose connections are on the same one hands a request to a session, and
// is handed the answer, without another thread being woken.
#pragma once

#include <boost/asio/io_context.hpp>
#include <caf/actor_system_config.hpp>
#include <cstddef>
#include <memory>

namespace troupe::gateway {

/// Of a system that is made from it, and that it outlives.
class scheduled_settings : public caf::actor_system_config {
 public:
  /// `threads` run actors, each for a bounded number of messages at a time, and whatever else is posted to `io()`.
  explicit scheduled_settings(std::size_t threads);

  [[nodiscard]] const std::shared_ptr<boost::asio::io_context>& io() const noexcept { return io_; }
  [[nodiscard]] std::size_t threads() const noexcept { return threads_; }

 private:
  std::size_t threads_;
  std::shared_ptr<boost::asio::io_context> io_;
};

}  // namespace troupe::gateway
