#include "gateway/http_message.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::gateway {
namespace {

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter; }

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view http_request::field(std::string_view name) const {
  for (const auto& entry : fields)
    if (equals_ignoring_case(entry.name, name)) return entry.value;
  return {};
}

void read_target(std::string_view target, http_request& request) {
  const auto scheme = target.find("://");
  const auto name = target.substr(0, scheme);
  if (scheme != target.npos && (equals_ignoring_case(name, "http") || equals_ignoring_case(name, "https"))) {
    target.remove_prefix(scheme + 3);
    const auto authority = target.substr(0, target.find_first_of("/?"));
    target.remove_prefix(authority.size());
    std::erase_if(request.fields, [](const http_field& entry) { return equals_ignoring_case(entry.name, "host"); });
    request.fields.push_back({"host", std::string(authority)});
    if (target.empty() || target.front() == '?') request.path = "/";
  }
  const auto mark = target.find('?');
  request.path += target.substr(0, mark);
  if (mark != target.npos) request.query = target.substr(mark + 1);
}

std::optional<failure> check_framing(const http_request& request) {
  std::size_t codings = 0, lengths = 0;
  for (const auto& entry : request.fields) {
    if (equals_ignoring_case(entry.name, "content-length")) lengths += entry.value.find(',') == entry.value.npos ? 1 : 2;
    if (!equals_ignoring_case(entry.name, "transfer-encoding")) continue;
    ++codings;
    if (!equals_ignoring_case(entry.value, "chunked"))
      return failure{errc::invalid_request, "the only transfer-encoding taken is chunked", "transfer-encoding"};
  }
  if (lengths > 1 || codings > 1 || lengths + codings > 1)
    return failure{errc::invalid_request, "a body has one content-length or one transfer-encoding", "content-length"};
  return std::nullopt;
}

std::optional<std::string> http_request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const auto item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const auto equals = item.find('=');
    if (item.substr(0, equals) == name) return decode_percent(equals == item.npos ? std::string_view{} : item.substr(equals + 1));
  }
  return std::nullopt;
}

std::string response_head(const http_response& response, body_framing framing, std::size_t body_bytes, bool keep_alive) {
  std::string head;
  head.reserve(256);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(reason_of(response.status)).append("\r\n");
  append_field(head, "content-type", response.content_type);
  if (framing == body_framing::length) append_field(head, "content-length", std::to_string(body_bytes));
  if (framing == body_framing::chunked) append_field(head, "transfer-encoding", "chunked");
  for (const auto& entry : response.fields) append_field(head, entry.name, entry.value);
  append_field(head, "connection", keep_alive ? "keep-alive" : "close");
  head.append("\r\n");
  return head;
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (text.size() - i < 3) return std::nullopt;
    const auto* begin = text.data() + i + 1;
    const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
    if (error != std::errc{} || end != begin + 2) return std::nullopt;
    decoded.push_back(static_cast<char>(value));
    i += 2;
  }
  return decoded;
}

}  // namespace troupe::gateway
