#include "engine/core/model/json_fields.hpp"

#include <sstream>

#include "messages/base/limits.hpp"

namespace troupe::core {
namespace {

using nlohmann::json;

/// Nesting outside of strings. Bounded before parsing: the tree of a million brackets costs forty bytes each.
int depth_of(const std::string& text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

std::string range_text(double low, double high) {
  std::ostringstream out;
  out << "must be in [" << low << ", " << high << "]";
  return out.str();
}

}  // namespace

expected<json> parse_json_object(const std::string& text, const std::string& where) {
  if (depth_of(text) > limits::json_depth_max) return failure{errc::corrupt_data, where + " is nested too deeply", ""};
  auto parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return failure{errc::corrupt_data, where + " is not valid JSON", ""};
  if (!parsed.is_object()) return failure{errc::corrupt_data, where + " is not a JSON object", ""};
  return parsed;
}

const json* json_fields::find(const std::string& key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const json* json_fields::require(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr) refuse(errc::corrupt_data, key, "is missing");
  return value;
}

void json_fields::refuse(errc code, const std::string& key, const std::string& what) {
  if (!error_) error_ = failure{code, where_ + ": " + key + " " + what, key};
}

std::uint32_t json_fields::count(const std::string& key, std::uint32_t max) {
  const auto* value = require(key);
  if (value == nullptr) return 1;
  if (!value->is_number_integer()) {
    refuse(errc::corrupt_data, key, "must be an integer");
    return 1;
  }
  // Negative integers and those beyond 64 bits are out of range either way.
  const bool fits = value->is_number_unsigned() && value->get<std::uint64_t>() >= 1 && value->get<std::uint64_t>() <= max;
  if (!fits) refuse(errc::corrupt_data, key, "must be in [1, " + std::to_string(max) + "]");
  return fits ? value->get<std::uint32_t>() : 1;
}

std::uint32_t json_fields::count_or(const std::string& key, std::uint32_t max, std::uint32_t absent) {
  return has(key) ? count(key, max) : absent;
}

double json_fields::number(const std::string& key, double low, double high) {
  const auto* value = require(key);
  if (value == nullptr) return low;
  if (!value->is_number()) {
    refuse(errc::corrupt_data, key, "must be a number");
    return low;
  }
  const auto number = value->get<double>();
  if (number >= low && number <= high) return number;
  refuse(errc::corrupt_data, key, range_text(low, high));
  return low;
}

double json_fields::number_or(const std::string& key, double low, double high, double absent) {
  return has(key) ? number(key, low, high) : absent;
}

bool json_fields::flag_or(const std::string& key, bool absent) {
  const auto* value = find(key);
  if (value == nullptr) return absent;
  if (value->is_boolean()) return value->get<bool>();
  refuse(errc::corrupt_data, key, "must be true or false");
  return absent;
}

std::string json_fields::text_or(const std::string& key, std::string absent) {
  const auto* value = find(key);
  if (value == nullptr) return absent;
  if (value->is_string()) return value->get<std::string>();
  refuse(errc::corrupt_data, key, "must be a string");
  return absent;
}

std::vector<token_id> json_fields::tokens(const std::string& key, std::uint32_t vocabulary) {
  std::vector<token_id> ids;
  const auto* value = find(key);
  if (value == nullptr) return ids;
  const auto add = [&](const json& id) {
    const bool fits = id.is_number_unsigned() && id.get<std::uint64_t>() < vocabulary;
    if (fits) ids.push_back(id.get<token_id>());
    if (!fits) refuse(errc::corrupt_data, key, "must be token ids below vocab_size");
  };
  if (!value->is_array()) {
    add(*value);
  } else {
    for (const auto& id : *value) add(id);
  }
  return ids;
}

const json* json_fields::object(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_object()) return value;
  refuse(errc::corrupt_data, key, "must be an object");
  return nullptr;
}

const json* json_fields::array(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_array()) return value;
  refuse(errc::corrupt_data, key, "must be a list");
  return nullptr;
}

}  // namespace troupe::core
