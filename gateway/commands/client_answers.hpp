// What the clients of the subcommands read in the same way: where a server is, what it refused, and the usage at the end of a stream.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

struct server_address {
  std::string host, port;
};
/// `url` is http://HOST[:PORT]. Fails with invalid_request.
expected<server_address> parse_server_address(std::string_view url);

/// `internal` with the server's own message, of an answer with a status of 400 or more.
failure refusal_of(const boost::beast::http::response<boost::beast::http::string_body>& response);

/// 0 when there is no number.
std::uint32_t number_at(const boost::json::value& value, const char* pointer);

/// The usage in a frame of a stream, if it has one.
template <class Turn>
void read_usage(const boost::json::value& frame, Turn& turn) {
  boost::system::error_code absent;
  if (frame.find_pointer("/usage/prompt_tokens", absent) == nullptr) return;
  turn.prompt_tokens = number_at(frame, "/usage/prompt_tokens");
  turn.cached_tokens = number_at(frame, "/usage/prompt_tokens_details/cached_tokens");
  turn.output_tokens = number_at(frame, "/usage/completion_tokens");
}

}  // namespace troupe::gateway
