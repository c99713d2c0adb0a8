#include "engine/text/token_json.hpp"

namespace troupe::text {

void json_node::corrupt(std::string_view message) const {
  throw load_error{{errc::corrupt_data, "tokenizer.json, " + path_ + ": " + std::string(message) + ".", path_}};
}

void json_node::unsupported(std::string_view component) const {
  throw load_error{{errc::unsupported_parameter, "tokenizer.json, " + path_ + ": " + std::string(component) + " is not supported.", path_}};
}

const nlohmann::json::object_t& json_node::members() const {
  if (!value_->is_object()) corrupt("an object is expected");
  return value_->get_ref<const nlohmann::json::object_t&>();
}

json_node json_node::at(std::string_view key) const {
  const auto& all = members();
  const auto found = all.find(std::string(key));
  const auto path = path_ + "." + std::string(key);
  if (found == all.end()) throw load_error{{errc::corrupt_data, "tokenizer.json, " + path + " is missing.", path}};
  return {found->second, path};
}

std::optional<json_node> json_node::maybe(std::string_view key) const {
  const auto& all = members();
  const auto found = all.find(std::string(key));
  if (found == all.end() || found->second.is_null()) return std::nullopt;
  return json_node{found->second, path_ + "." + std::string(key)};
}

std::vector<json_node> json_node::items() const {
  if (!value_->is_array()) corrupt("an array is expected");
  std::vector<json_node> all;
  all.reserve(value_->size());
  for (const auto& item : *value_) all.emplace_back(item, path_ + "[" + std::to_string(all.size()) + "]");
  return all;
}

const std::string& json_node::text() const {
  if (!value_->is_string()) corrupt("a string is expected");
  return value_->get_ref<const std::string&>();
}

std::uint32_t json_node::number(std::uint32_t max) const {
  if (!value_->is_number_unsigned()) corrupt("a non-negative integer is expected");
  const auto number = value_->get<std::uint64_t>();
  if (number > max) corrupt("the number is above " + std::to_string(max));
  return static_cast<std::uint32_t>(number);
}

bool json_node::flag() const {
  if (!value_->is_boolean()) corrupt("true or false is expected");
  return value_->get<bool>();
}

bool json_node::flag(std::string_view key, bool otherwise) const {
  const auto node = maybe(key);
  return node ? node->flag() : otherwise;
}

}  // namespace troupe::text
