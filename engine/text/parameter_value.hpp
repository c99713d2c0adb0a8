// A parameter's value to JSON, for formats that write values as they are: what the tool's schema calls a string streams as an escaped
// one, anything else passes through once it is whole and valid JSON, and is a string when it is not.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/core/chat.hpp"

namespace troupe::text {

/// What a schema lets a value be. Where strings and other types are allowed, and where nothing is said, it is `json`.
enum class value_kind : std::uint8_t { text, text_or_null, json };
using value_kinds = std::map<std::string, value_kind, std::less<>>;
/// Of the parameters of the tool of this name; a parameter that is missing is `json`.
value_kinds value_kinds_of(std::span<const core::chat_tool> tools, std::string_view name);

class parameter_value {
 public:
  explicit parameter_value(value_kind kind) : kind_(kind) {}
  /// Appends the JSON text that became certain. Returns how much of `value`, all of it that is there and was not read, is read now.
  std::size_t read(std::string_view value, std::string& json);
  /// The value ends with `value`.
  void finish(std::string_view value, std::string& json);

 private:
  /// Whether the value may still turn out to be no string.
  [[nodiscard]] bool is_open(std::string_view value) const;

  value_kind kind_;
  bool is_text_ = false;  ///< its opening quote is out
};

}  // namespace troupe::text
