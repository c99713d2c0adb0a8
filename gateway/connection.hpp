// One HTTP connection. Requests on it are answered one after the other, in the order they came (pipelining included); a read is
// always pending, so that a client that goes away is noticed while its turn runs.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "engine/core/fair_budget.hpp"
#include "gateway/conversation_index.hpp"
#include "gateway/exchange.hpp"
#include "gateway/options.hpp"
#include "gateway/origin_guard.hpp"
#include "gateway/strand.hpp"
#include "gateway/turn_registry.hpp"

namespace troupe::gateway {

/// What all connections of a server share.
struct connection_context {
  explicit connection_context(gateway_options wanted) : options(std::move(wanted)) {}

  gateway_options options;
  guarded_address bound;
  actor_link_factory make_link;
  io_context_ptr io;
  std::shared_ptr<conversation_index> conversations = std::make_shared<conversation_index>(options.conversations_max);
  std::shared_ptr<turn_registry> turns{};  ///< with an idempotency key; they refer to this context, until it is stopped
  std::shared_ptr<tenant_quotas> quotas{};  ///< null: there are no tenants
  std::atomic<bool> draining = false;
  mutable core::fair_budget uploads{options.uploads_bytes_max};  ///< bytes of bodies that are being read, by tenant
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
  /// Since when it has waited for another request; `never`: it does not.
  [[nodiscard]] virtual time_point idle_since() const = 0;
};

/// What a connection says of itself, from its strand.
struct connection_events {
  /// A request of that tenant comes; not said again of the same tenant. False: it is one connection of the tenant too many.
  std::function<bool(const std::string& tenant)> on_admitted;
  std::function<void()> on_closed;  ///< once
};

std::shared_ptr<connection_handle> make_connection(boost::asio::ip::tcp::socket socket, const strand& where,
                                                   std::shared_ptr<const connection_context> context, connection_events events);

}  // namespace troupe::gateway
