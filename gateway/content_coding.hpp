// Compressed request bodies: gzip and zstd, as clients send long conversations. The limit holds for what comes out.
#pragma once

#include <cstddef>
#include <optional>

#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// Replaces the body by what its `content-encoding` says it is. unsupported_encoding for another coding or more than one, body_too_large
/// when more than `bytes_max` come out, invalid_request for a body that is damaged or cut.
std::optional<failure> decode_body(http_request& request, std::size_t bytes_max);

}  // namespace troupe::gateway
