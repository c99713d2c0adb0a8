#include "engine/text/chat_input_json.hpp"

#include <algorithm>
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

/// As the library does, which looks at each byte as if it were a part of UTF-8: most of a conversation is not.
std::string quote_ascii(std::string_view text) {
  constexpr std::string_view escaped = "\b\t\n\f\r\"\\", letters = "btnfr\"\\", digits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size() + text.size() / 16 + 2);
  out += '"';
  std::size_t plain = 0;  // where what is not yet written begins
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, plain, at - plain);
    plain = at + 1;
    if (const auto known = escaped.find(text[at]); known != escaped.npos)
      out.append(1, '\\').append(1, letters[known]);
    else
      out.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return out.append(text, plain).append(1, '"');
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

std::string quote(std::string_view text) {
  const bool is_ascii = std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
  return is_ascii ? quote_ascii(text) : nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace troupe::text
