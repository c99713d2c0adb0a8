#include "gateway/audit_record.hpp"

#include <openssl/sha.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "engine/text/redaction.hpp"
#include "gateway/json_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

namespace json = boost::json;

void redact(json::value& value, const std::vector<std::string>& patterns) {
  if (auto* text = value.if_string()) {
    const auto kept = text::redacted({text->data(), text->size()}, patterns);
    if (std::string_view(text->data(), text->size()) != kept) *text = kept;
  } else if (auto* list = value.if_array()) {
    for (auto& element : *list) redact(element, patterns);
  } else if (auto* members = value.if_object()) {
    // A name that holds a secret would not be one of ours: its value goes on under the redacted name.
    json::object kept(members->storage());
    for (auto& [name, member] : *members) {
      redact(member, patterns);
      kept[text::redacted({name.data(), name.size()}, patterns)] = std::move(member);
    }
    *members = std::move(kept);
  }
}

std::string digest_of(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::string hex;
  for (const auto byte : hash) (hex += digits[byte >> 4]) += digits[byte & 15];
  return hex;
}

/// At most so many bytes, not in the middle of a letter.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

class line_writer {
 public:
  void text(std::string_view name, std::string_view value) {
    key(name);
    value.empty() ? void(line_ += "null") : append_json_string(line_, value);
  }
  void number(std::string_view name, std::int64_t value) {
    key(name);
    append_json_integer(line_, value);
  }
  void unknown(std::string_view name) { text(name, {}); }
  void flag(std::string_view name) {
    key(name);
    line_ += "true";
  }
  [[nodiscard]] std::string take() { return std::move(line_) + "}"; }

 private:
  void key(std::string_view name) {
    line_ += line_.empty() ? '{' : ',';
    append_json_string(line_, name);
    line_ += ':';
  }
  std::string line_;
};

void write_content(line_writer& line, std::string_view name, std::string_view text, std::size_t bytes, const audit_style& style) {
  line.number(std::string(name) + "_bytes", static_cast<std::int64_t>(bytes));
  if (style.content == audit_content::digest)
    line.text(std::string(name) + "_sha256", digest_of(text));
  else
    line.text(name, cut(text, style.content_bytes_max));
}

}  // namespace

std::string redacted_body(std::string_view body, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return std::string(body);
  json::parse_options options;
  options.max_depth = limits::json_depth_max;
  boost::system::error_code error;
  auto value = json::parse({body.data(), body.size()}, error, {}, options);
  if (error) return text::redacted(body, patterns);
  redact(value, patterns);
  return json::serialize(value);
}

std::string audit_line(const audit_record& record, const audit_style& style) {
  const auto& request = record.request;
  const auto& turn = record.turn;
  line_writer line;
  line.number("at_ms", request.at_ms);
  line.text("client", request.client);
  line.text("tenant", request.tenant);
  line.text("key", request.key_name);
  line.text("request", request.id);
  line.text("session", request.session);
  line.text("method", request.method);
  line.text("path", text::redacted(request.path, style.redact));
  line.text("model", turn.model);
  request.status != 0 ? line.number("status", request.status) : line.unknown("status");
  line.number("latency_us", static_cast<std::int64_t>(request.latency_s * 1e6));
  const std::pair<std::string_view, std::uint32_t> tokens[] = {
      {"prompt_tokens", turn.prompt_tokens}, {"cached_tokens", turn.cached_tokens}, {"output_tokens", turn.output_tokens}};
  for (const auto& [name, count] : tokens) turn.has_usage ? line.number(name, count) : line.unknown(name);
  if (request.is_repeat) line.flag("repeat");
  if (style.content == audit_content::none) return line.take();
  if (record.content_lost) {
    line.flag("content_lost");
    return line.take();
  }
  const bool full = style.content == audit_content::full;
  write_content(line, "body", full ? redacted_body(request.body, style.redact) : request.body, request.body.size(), style);
  if (!turn.model.empty())
    write_content(line, "answer", full ? text::redacted(turn.answer, style.redact) : turn.answer, turn.answer.size(), style);
  return line.take();
}

}  // namespace troupe::gateway
