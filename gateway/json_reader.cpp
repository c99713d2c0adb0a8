#include "gateway/json_reader.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

std::string number_text(double value) {
  auto text = std::to_string(value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string range_text(number_range range) {
  const bool bounded_below = range.min > std::numeric_limits<double>::lowest();
  const bool bounded_above = range.max < std::numeric_limits<double>::max();
  if (!bounded_below && !bounded_above) return "must be finite";
  std::string text = "must be";
  if (bounded_below) text += (range.above_min ? " above " : " at least ") + number_text(range.min);
  if (bounded_below && bounded_above) text += " and";
  if (bounded_above) text += " at most " + number_text(range.max);
  return text;
}

}  // namespace

void first_failure::report(errc code, std::string message, std::string param) {
  if (!failure_) failure_ = failure{code, std::move(message), std::move(param)};
}

std::string index_path(std::string_view path, std::size_t index) { return std::string(path) + "[" + std::to_string(index) + "]"; }

void refuse_type(first_failure& failed, const std::string& path, std::string_view expected) {
  failed.report(errc::invalid_request, "'" + path + "' must be " + std::string(expected), path);
}

std::optional<std::int64_t> read_integer(const json::value& value, const std::string& path, integer_range range, first_failure& failed) {
  std::optional<std::int64_t> found;
  if (value.is_int64()) found = value.get_int64();
  // 2^63 and above as a double would not fit back.
  if (value.is_double() && std::trunc(value.get_double()) == value.get_double() && std::abs(value.get_double()) < 9.2e18)
    found = static_cast<std::int64_t>(value.get_double());
  if (!found) {
    refuse_type(failed, path, value.is_uint64() || value.is_double() ? "a whole number of 64 bits" : "an integer");
    return std::nullopt;
  }
  if (*found >= range.min && *found <= range.max) return found;
  std::string why = "'" + path + "' must be at least " + std::to_string(range.min);
  if (range.max != integer_range{}.max) why += " and at most " + std::to_string(range.max);
  failed.report(errc::invalid_request, why, path);
  return std::nullopt;
}

json_reader::json_reader(const json::object& object, std::string path, first_failure& failed)
    : object_(object), path_(std::move(path)), failed_(failed) {}

const json::value* json_reader::find(std::string_view key) const {
  const auto* value = object_.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string json_reader::path_of(std::string_view key) const { return path_.empty() ? std::string(key) : path_ + "." + std::string(key); }

void json_reader::refuse(std::string_view key, std::string_view why) const {
  const auto path = path_of(key);
  failed_.report(errc::invalid_request, "'" + path + "' " + std::string(why), path);
}

bool json_reader::read(std::string_view key, std::string& out) const {
  const auto* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_string()) {
    refuse_type(failed_, path_of(key), "a string");
    return false;
  }
  out.assign(value->get_string().data(), value->get_string().size());
  return true;
}

bool json_reader::read(std::string_view key, bool& out) const {
  const auto* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_bool()) {
    refuse_type(failed_, path_of(key), "true or false");
    return false;
  }
  out = value->get_bool();
  return true;
}

bool json_reader::read(std::string_view key, float& out, number_range range) const {
  const auto* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_number()) {
    refuse_type(failed_, path_of(key), "a number");
    return false;
  }
  const auto number = value->to_number<double>();
  const bool inside = std::isfinite(number) && (range.above_min ? number > range.min : number >= range.min) && number <= range.max;
  if (!inside) {
    refuse(key, range_text(range));
    return false;
  }
  out = static_cast<float>(number);
  return true;
}

bool json_reader::read(std::string_view key, std::int64_t& out, integer_range range) const {
  const auto* value = find(key);
  if (value == nullptr) return false;
  const auto number = read_integer(*value, path_of(key), range, failed_);
  if (number) out = *number;
  return number.has_value();
}

bool json_reader::read(std::string_view key, std::uint32_t& out, integer_range range) const {
  std::int64_t number = 0;
  if (!read(key, number, {std::max<std::int64_t>(range.min, 0), std::min<std::int64_t>(range.max, 0xFFFFFFFF)})) return false;
  out = static_cast<std::uint32_t>(number);
  return true;
}

bool json_reader::read(std::string_view key, std::int32_t& out, integer_range range) const {
  std::int64_t number = 0;
  if (!read(key, number, {std::max<std::int64_t>(range.min, INT32_MIN), std::min<std::int64_t>(range.max, INT32_MAX)})) return false;
  out = static_cast<std::int32_t>(number);
  return true;
}

const json::object* json_reader::object(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) refuse_type(failed_, path_of(key), "an object");
  return value->if_object();
}

const json::array* json_reader::array(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) refuse_type(failed_, path_of(key), "an array");
  return value->if_array();
}

expected<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = limits::json_depth_max;
  json::error_code error;
  auto value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return failure{errc::invalid_request, "the body is not valid JSON: " + error.message(), {}};
  if (!value.is_object()) return failure{errc::invalid_request, "the body must be a JSON object", {}};
  return std::move(value.get_object());
}

}  // namespace troupe::gateway
