// What the audit log says of one request: a line of JSON. Headers are never in it; contents only as far as the operator asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/audit_limits.hpp"

namespace troupe::gateway {

enum class audit_content : std::uint8_t { none, digest, full };

struct audit_style {
  audit_content content = audit_content::none;
  std::vector<std::string> redact;  ///< patterns of text::redacted, for paths and contents
  std::size_t content_bytes_max = limits::audit_content_bytes_max;
};

/// What the connection knows of it.
struct audited_request {
  std::int64_t at_ms = 0;  ///< Unix time of its head
  std::string client;      ///< address
  std::string tenant, key_name, id, session, method, path;
  int status = 0;          ///< 0: it was not answered
  double latency_s = 0;    ///< to the last byte of the answer, or until the connection ended
  bool is_repeat = false;  ///< answered with what another request has computed
  std::string body;
};

/// What the turn knows of it that it began, if it did.
struct audited_turn {
  std::string model;
  bool has_usage = false;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  std::string answer;  ///< reasoning, text and tool calls, in the order they came
};

struct audit_record {
  audited_request request;
  audited_turn turn;
  bool content_lost = false;  ///< there was no room to hold it
};

/// Without its line feed. What is not known is null; text that is not UTF-8 has replacement characters.
std::string audit_line(const audit_record& record, const audit_style& style);

/// Of a JSON body each string is redacted for itself, of any other the text.
std::string redacted_body(std::string_view body, const std::vector<std::string>& patterns);

}  // namespace troupe::gateway
