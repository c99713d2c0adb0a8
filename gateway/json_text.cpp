#include "gateway/json_text.hpp"

#include <charconv>
#include <cmath>

namespace troupe::gateway {
namespace {

constexpr char digits[] = "0123456789abcdef";

bool is_plain(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return byte >= 0x20 && byte < 0x80 && letter != '"' && letter != '\\';
}

void append_escape(std::string& out, char letter) {
  switch (letter) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      break;
  }
  out.append("\\u00");
  out.push_back(digits[static_cast<unsigned char>(letter) >> 4]);
  out.push_back(digits[static_cast<unsigned char>(letter) & 15]);
}

bool is_continuation(std::string_view text, std::size_t index) {
  return index < text.size() && (static_cast<unsigned char>(text[index]) & 0xC0) == 0x80;
}

}  // namespace

// Well-formed sequences of the Unicode Standard, table 3-7: the second byte's range depends on the first.
std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !is_continuation(text, 1)) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  if (first < 0xE0) return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  if (!is_continuation(text, 2)) return 0;
  if (first < 0xF0) return 3;
  return is_continuation(text, 3) ? 4 : 0;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t begin = 0, at = 0;  // [begin, at) can be copied as it is
  while (at < text.size()) {
    if (is_plain(text[at])) {
      ++at;
      continue;
    }
    const auto length = static_cast<unsigned char>(text[at]) < 0x80 ? 0 : utf8_length(text.substr(at));
    if (length != 0) {
      at += length;
      continue;
    }
    out.append(text, begin, at - begin);
    if (static_cast<unsigned char>(text[at]) < 0x80)
      append_escape(out, text[at]);
    else
      out.append("\xEF\xBF\xBD");
    begin = ++at;
  }
  out.append(text, begin, at - begin);
  out.push_back('"');
}

void append_json_integer(std::string& out, std::int64_t value) {
  char buffer[24];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

void append_json_logprob(std::string& out, float value) {
  if (!std::isfinite(value)) {
    out.append("-9999.0");
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

std::string hex_of(std::uint64_t value) {
  std::string text(16, '0');
  for (auto letter = text.rbegin(); letter != text.rend(); ++letter, value >>= 4) *letter = digits[value & 15];
  return text;
}

}  // namespace troupe::gateway
