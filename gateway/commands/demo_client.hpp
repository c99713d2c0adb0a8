// A small HTTP client for `troupe demo`: one connection per request, every operation with a deadline. Measures what a harness would see.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// One streamed turn as its client saw it.
struct demo_turn {
  std::string text;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  double first_token_s = 0, total_s = 0;
};

/// Whose turn it is.
struct demo_identity {
  std::string session, parent;
};

class demo_client {
 public:
  /// `url` is http://HOST[:PORT]. Fails with invalid_request.
  static expected<demo_client> make(std::string_view url);

  /// One JSON request; io_failed when nobody answers, else the errc is `internal` with the server's own message for a status of 400 or more.
  expected<boost::json::object> request(std::string_view method, std::string_view target, const boost::json::object& body) const;
  /// Streams one chat completion; `body` needs model and messages only.
  expected<demo_turn> chat(boost::json::object body, const demo_identity& who) const;

 private:
  demo_client(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}
  std::string host_, port_;
};

}  // namespace troupe::gateway
