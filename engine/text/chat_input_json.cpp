#include "engine/text/chat_input_json.hpp"

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

std::string quote(std::string_view text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

}  // namespace troupe::text
