// The HTTP server: a listener, its I/O threads and the connections. Ends in two steps: drain() takes nothing new and lets running
// answers finish, stop() cuts what is left.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "gateway/options.hpp"
#include "gateway/strand.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

class server {
 public:
  /// Listens and serves, on threads of its own, or where `shared` is run until stop() has returned. io_failed when the address cannot be bound,
  /// invalid_request when it is no address.
  static expected<std::unique_ptr<server>> start(gateway_options options, actor_link_factory make_link, io_context_ptr shared = nullptr);
  /// stop()
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t connections() const;
  /// Stops accepting, closes idle connections; others close after the answer that they are giving.
  void drain();
  /// Whether no connection is left, after waiting at most that long.
  bool wait_until_idle(std::chrono::milliseconds within);
  /// Closes every connection, cancels their turns, ends its own threads. The actors of the gateway have ended after this, or are about to.
  void stop();

 private:
  struct state;
  explicit server(std::shared_ptr<state> made);
  std::shared_ptr<state> state_;
};

}  // namespace troupe::gateway
