#include "gateway/commands/client_answers.hpp"

#include <boost/json/parse.hpp>
#include <boost/url/parse.hpp>

namespace troupe::gateway {
namespace json = boost::json;

expected<server_address> parse_server_address(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (parsed.has_error() || parsed->scheme() != "http" || parsed->host().empty())
    return failure{errc::invalid_request, std::string(url) + " is not of the form http://HOST[:PORT]", "url"};
  return server_address{std::string(parsed->host()), parsed->has_port() ? std::string(parsed->port()) : "80"};
}

failure refusal_of(const boost::beast::http::response<boost::beast::http::string_body>& response) {
  boost::system::error_code error;
  const auto body = json::parse(response.body(), error);
  const auto* message = error ? nullptr : body.find_pointer("/error/message", error);
  const std::string text = message && message->is_string() ? std::string(message->as_string()) : response.body();
  return {errc::internal, "the server answered " + std::to_string(response.result_int()) + ": " + text, {}};
}

std::uint32_t number_at(const json::value& value, const char* pointer) {
  boost::system::error_code error;
  const auto* found = value.find_pointer(pointer, error);
  return found && found->is_number() ? found->to_number<std::uint32_t>(error) : 0;
}

}  // namespace troupe::gateway
