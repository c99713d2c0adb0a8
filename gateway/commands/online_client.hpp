// HTTP for many agents at once on one thread: coroutines on one io_context, a connection per request, a deadline on each. Measures what a
// harness would see.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// One streamed completion as its client saw it.
struct online_turn {
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  double first_token_s = 0, total_s = 0;  ///< since the connection was begun
};

class online_client {
 public:
  /// `url` is http://HOST[:PORT]. Failures: invalid_request, io_failed when the name has no address.
  static expected<online_client> make(std::string_view url, std::chrono::milliseconds deadline);

  /// One JSON request. Failures: io_failed, deadline_exceeded, and `internal` with the server's words for a status of 400 or more.
  boost::asio::awaitable<expected<boost::json::object>> request(std::string method, std::string target, boost::json::object body) const;
  /// Streams one completion of `session`; `body` needs what /v1/completions needs. Failures as above; a stream that breaks off is one.
  boost::asio::awaitable<expected<online_turn>> complete(boost::json::object body, std::string session) const;

 private:
  online_client(std::string host, boost::asio::ip::tcp::endpoint server, std::chrono::milliseconds deadline)
      : host_(std::move(host)), server_(std::move(server)), deadline_(deadline) {}

  std::string host_;
  boost::asio::ip::tcp::endpoint server_;
  std::chrono::milliseconds deadline_;
};

}  // namespace troupe::gateway
