#include "engine/text/chat_input_json.hpp"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

// 400 digits: no double is longer, and Python refuses integers beyond 4,300.
constexpr std::size_t number_digits_max = 400;

/// Sees every event of the parser and keeps only what the answer needs.
class object_inspector : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit object_inspector(std::vector<std::string>& keys) : keys_(keys) {}

  bool null() override { return depth_ > 0; }
  bool boolean(bool) override { return depth_ > 0; }
  bool number_integer(number_integer_t) override { return depth_ > 0; }
  bool number_unsigned(number_unsigned_t) override { return depth_ > 0; }
  bool number_float(number_float_t, const string_t& text) override { return depth_ > 0 && text.size() <= number_digits_max; }
  bool string(string_t&) override { return depth_ > 0; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return ++depth_ <= limits::json_depth_max; }
  bool key(string_t& name) override {
    if (depth_ == 1) keys_.push_back(name);
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return depth_ > 0 && ++depth_ <= limits::json_depth_max; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  std::vector<std::string>& keys_;
  int depth_ = 0;
};

/// Whether one of eight bytes is not ASCII, or has to be escaped. (Bit tricks on all of them at once: a byte below a bound, a byte that is zero.)
bool is_special(const char* bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  const auto has_zero = [](std::uint64_t of) { return (of - ones) & ~of & high; };
  return ((word & high) | ((word - ones * 0x20) & ~word & high) | has_zero(word ^ (ones * '"')) | has_zero(word ^ (ones * '\\'))) != 0;
}

/// The next byte from `at` on that is not plain ASCII, or the end.
std::size_t skip_plain(std::string_view text, std::size_t at) {
  for (; at + 8 <= text.size(); at += 8)
    if (is_special(text.data() + at)) break;
  const auto plain = [](unsigned char byte) { return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\'; };
  while (at < text.size() && plain(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

void append_escape(std::string& out, char byte) {
  constexpr std::string_view escaped = "\b\t\n\f\r\"\\", letters = "btnfr\"\\", digits = "0123456789abcdef";
  if (const auto known = escaped.find(byte); known != escaped.npos)
    out.append(1, '\\').append(1, letters[known]);
  else
    out.append("\\u00").append(1, digits[static_cast<unsigned char>(byte) >> 4]).append(1, digits[byte & 15]);
}

}  // namespace

object_text inspect_object(std::string_view text) {
  object_text result;
  object_inspector inspector(result.keys);
  result.valid = nlohmann::json::sax_parse(text.begin(), text.end(), &inspector);
  if (!result.valid) return result;
  const auto begin = text.find('{');
  result.body = text.substr(begin + 1, text.rfind('}') - begin - 1);
  if (result.keys.empty()) result.body = {};
  return result;
}

/// As the JSON library does, which looks at each byte as if it were a part of UTF-8: most of a conversation is not.
void append_quoted(std::string& out, std::string_view text) {
  const auto begin = out.size();
  out += '"';
  for (std::size_t at = 0;;) {
    const auto end = skip_plain(text, at);
    out.append(text, at, end - at);
    if (end == text.size()) break;
    if (static_cast<unsigned char>(text[end]) >= 0x80) {
      out.resize(begin);
      out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      return;
    }
    append_escape(out, text[end]);
    at = end + 1;
  }
  out += '"';
}

std::string quote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16 + 2);
  append_quoted(out, text);
  return out;
}

}  // namespace troupe::text
