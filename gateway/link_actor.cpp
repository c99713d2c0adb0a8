#include "gateway/link_actor.hpp"

#include <algorithm>

namespace troupe::gateway {

link_actor::link_actor(caf::actor_config& config, std::shared_ptr<shared_link> link, std::chrono::milliseconds timeout)
    : asio_actor(config, link->where, link->io), link_(std::move(link)), deadline_(clock().now() + timeout) {
  set_default_handler(caf::drop);
  set_error_handler([this](caf::scheduled_actor*, caf::error& error) { fail(to_failure(error)); });
  // A defect in a translation must not leave its client waiting.
  set_exception_handler([this](std::exception_ptr&) -> caf::error {
    try {
      fail({errc::internal, "an answer could not be written", {}});
    } catch (const std::exception&) {
      // Not even that could be said: the connection's own deadline ends it.
    }
    return caf::exit_reason::unhandled_exception;
  });
}

std::chrono::milliseconds link_actor::remaining() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - clock().now());
  return std::max(left, std::chrono::milliseconds(1));
}

}  // namespace troupe::gateway
