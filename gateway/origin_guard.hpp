// Keeps browsers of other sites out while no keys are configured: cross-origin requests, and names that were made to point at
// a loopback address (DNS rebinding).
#pragma once

#include <optional>
#include <string>

#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

struct guarded_address {
  std::string address;    ///< that the gateway is bound to
  bool loopback = false;  ///< only then unknown Host names are refused
};

/// forbidden_origin, or nothing when the request may pass.
std::optional<failure> check_origin(const http_request& request, const guarded_address& bound);

}  // namespace troupe::gateway
