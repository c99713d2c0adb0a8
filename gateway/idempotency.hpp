// How a request names its turn: `Idempotency-Key`, and `Last-Event-ID` for what the client has seen of it. A name means a turn within one
// tenant and one path only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

struct turn_key {
  std::string scope;                      ///< tenant, path and key
  std::string tenant;
  std::array<std::uint64_t, 2> digest{};  ///< of the query and the body: a repeat has the same
  std::optional<std::uint64_t> seen;      ///< the last frame that the client has
};

/// Nothing for a request without a key, or that is no POST. invalid_request for a key that is not 1 to 255 printable characters, for two
/// keys, and for a Last-Event-ID that is no number or has no key beside it: a stream that nobody can find is not begun anew in silence.
expected<std::optional<turn_key>> read_turn_key(const http_request& request, std::string_view tenant);

}  // namespace troupe::gateway
