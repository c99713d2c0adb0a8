// Where everything about one connection runs: its I/O, its timers, and the actors that speak for it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <functional>
#include <memory>

#include "gateway/actor_link.hpp"

namespace troupe::gateway {

/// Shared, because an actor's handle may outlive the server and its messages must still find a queue to be dropped in.
using io_context_ptr = std::shared_ptr<boost::asio::io_context>;
using strand = boost::asio::strand<boost::asio::io_context::executor_type>;

/// Makes the link of one connection.
using actor_link_factory = std::function<std::unique_ptr<actor_link>(const strand&, const io_context_ptr&)>;

}  // namespace troupe::gateway
