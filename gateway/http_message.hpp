// Requests and responses as plain data: routes see these and nothing of Beast, so they are tested without sockets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

struct http_field {
  std::string name, value;
};

struct http_request {
  std::string method;
  std::string path;   ///< still percent-encoded, begins with '/'
  std::string query;  ///< without '?'
  std::vector<http_field> fields;
  std::string body;

  /// The first field of that name whatever its case; empty when there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
  /// The decoded value of a query parameter.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

struct http_response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<http_field> fields;  ///< content-length, content-type and connection are added when it is sent
  std::string body;
};

/// Fills in path and query. Of an absolute target ("http://host/path", as for a proxy) the authority takes the place of the Host field.
void read_target(std::string_view target, http_request& request);

/// Refuses what two readers may cut differently: a transfer-encoding other than chunked, and more than one length of the body.
std::optional<failure> check_framing(const http_request& request);

/// How a response's body is delimited.
enum class body_framing { length, chunked, until_close };

/// Status line and fields, with the empty line that ends them.
std::string response_head(const http_response& response, body_framing framing, std::size_t body_bytes, bool keep_alive);

/// Decodes %XX; nullopt when an escape is cut or not hexadecimal.
std::optional<std::string> decode_percent(std::string_view text);

bool equals_ignoring_case(std::string_view left, std::string_view right);

}  // namespace troupe::gateway
