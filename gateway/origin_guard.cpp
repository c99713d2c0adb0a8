#include "gateway/origin_guard.hpp"

namespace troupe::gateway {
namespace {

/// "http://host:port" -> "host:port"; empty for "null" and whatever else has no authority.
std::string_view authority_of(std::string_view origin) {
  const auto scheme = origin.find("://");
  return scheme == origin.npos ? std::string_view{} : origin.substr(scheme + 3);
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_ours(std::string_view host, const guarded_address& bound) {
  const auto name = without_port(host);
  if (equals_ignoring_case(name, "localhost") || name == "127.0.0.1" || name == "[::1]") return true;
  return name == bound.address || name == "[" + bound.address + "]";
}

}  // namespace

std::optional<failure> check_origin(const http_request& request, const guarded_address& bound) {
  const auto host = request.field("host");
  if (bound.loopback && !host.empty() && !is_ours(host, bound))
    return failure{errc::forbidden_origin, "this address answers to localhost only, not to that Host", "host"};
  const auto origin = request.field("origin");
  if (!origin.empty() && !equals_ignoring_case(authority_of(origin), host))
    return failure{errc::forbidden_origin, "cross-origin requests are refused", "origin"};
  return std::nullopt;
}

}  // namespace troupe::gateway
