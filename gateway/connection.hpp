// One HTTP connection. Requests on it are answered one after the other, in the order they came (pipelining included); a read is
// always pending, so that a client that goes away is noticed while its turn runs.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "gateway/conversation_index.hpp"
#include "gateway/options.hpp"
#include "gateway/origin_guard.hpp"
#include "gateway/strand.hpp"
#include "gateway/turn_registry.hpp"

namespace troupe::gateway {

/// What all connections of a server share.
struct connection_context {
  gateway_options options;
  guarded_address bound;
  actor_link_factory make_link;
  io_context_ptr io;
  std::shared_ptr<conversation_index> conversations = std::make_shared<conversation_index>(limits::conversations_max);
  std::shared_ptr<turn_registry> turns{};  ///< with an idempotency key; they refer to this context, until it is stopped
  std::shared_ptr<tenant_quotas> quotas{};  ///< null: there are no tenants
  std::atomic<bool> draining = false;
  mutable std::atomic<std::size_t> uploads_bytes = 0;  ///< of bodies that are being read
};

/// All calls may come from any thread.
class connection_handle {
 public:
  virtual ~connection_handle() = default;
  virtual void start() = 0;
  /// Closes when idle, else after the answer that is running.
  virtual void finish() = 0;
  /// Closes now; a running turn is cancelled.
  virtual void cut() = 0;
};

/// `on_closed` is called once, from the connection's strand.
std::shared_ptr<connection_handle> make_connection(boost::asio::ip::tcp::socket socket, const strand& where,
                                                   std::shared_ptr<const connection_context> context, std::function<void()> on_closed);

}  // namespace troupe::gateway
