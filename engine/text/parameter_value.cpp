#include "engine/text/parameter_value.hpp"

#include <nlohmann/json.hpp>

#include "engine/text/call_text.hpp"
#include "engine/text/chat_input_json.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

using json = nlohmann::json;
constexpr int union_depth_max = 4;  // anyOf in anyOf; deeper ones count as anything

struct type_set {
  bool text = false, null = false, other = false;
};

void add_type(const json& name, type_set& types) {
  const bool text = name == "string", null = name == "null";
  types.text |= text;
  types.null |= null;
  types.other |= !text && !null;
}

void collect_types(const json& schema, type_set& types, int depth) {
  bool is_known = false;
  for (const auto* key : {"anyOf", "oneOf"}) {
    const auto found = schema.find(key);
    if (found == schema.end() || !found->is_array() || depth >= union_depth_max) continue;
    is_known = true;
    for (const auto& one : *found) collect_types(one, types, depth + 1);
  }
  const auto type = schema.find("type");
  if (type != schema.end()) {
    is_known = true;
    if (type->is_array()) {
      for (const auto& one : *type) add_type(one, types);
    } else {
      add_type(*type, types);
    }
  }
  if (!is_known) types.other = true;
}

value_kind kind_of(const json& schema) {
  type_set types;
  if (!schema.is_object()) return value_kind::json;
  collect_types(schema, types, 0);
  if (!types.text || types.other) return value_kind::json;
  return types.null ? value_kind::text_or_null : value_kind::text;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(blank_length(text));
  const auto last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// One JSON value that a template can be given again.
bool is_value(std::string_view text) {
  const auto wrapped = inspect_object("{\"v\":" + std::string(text) + "}");
  return wrapped.valid && wrapped.keys.size() == 1;
}

/// Escapes byte by byte, so that a value may be cut anywhere.
void append_escaped(std::string_view text, std::string& out) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    switch (byte) {
      case '"':
      case '\\':
        out.append(1, '\\').append(1, byte);
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\t':
        out.append("\\t");
        break;
      case '\r':
        out.append("\\r");
        break;
      default:
        if (code >= 0x20) {
          out += byte;
        } else {
          out.append("\\u00").append(1, digits[code >> 4]).append(1, digits[code & 15]);
        }
    }
  }
}

const json* object_in(const json* object, const char* key) {
  if (object == nullptr) return nullptr;
  const auto found = object->find(key);
  return found != object->end() && found->is_object() ? &*found : nullptr;
}

}  // namespace

value_kinds value_kinds_of(std::span<const core::chat_tool> tools, std::string_view name) {
  value_kinds kinds;
  for (const auto& tool : tools) {
    if (tool.name != name) continue;
    const auto value = json::parse(tool.json, nullptr, false);
    const auto* properties = object_in(object_in(object_in(&value, "function"), "parameters"), "properties");
    if (properties == nullptr) break;
    for (const auto& [key, schema] : properties->items()) kinds.emplace(key, kind_of(schema));
    break;
  }
  return kinds;
}

bool parameter_value::is_open(std::string_view value) const {
  if (kind_ == value_kind::text) return false;
  // Space is looked at again whenever more comes, so there may be less of it than of a value.
  const auto bytes_max = kind_ == value_kind::json ? limits::tool_held_bytes_max : limits::tool_head_bytes_max;
  const auto blank = blank_length(value);
  if (value.size() > bytes_max || blank > limits::tool_head_bytes_max) return false;
  const auto begin = value.substr(blank);
  if (begin.empty()) return true;
  if (kind_ == value_kind::text_or_null) return std::string_view("null").starts_with(trimmed(begin));
  return std::string_view("{[\"-0123456789tfn").find(begin.front()) != std::string_view::npos;
}

std::size_t parameter_value::read(std::string_view value, std::string& out) {
  if (value.empty() || (!is_text_ && is_open(value))) return 0;
  if (!is_text_) out += '"';
  is_text_ = true;
  append_escaped(value, out);
  return value.size();
}

void parameter_value::finish(std::string_view value, std::string& out) {
  const auto literal = trimmed(value);
  if (!is_text_ && is_open(value)) {
    if (kind_ == value_kind::json ? is_value(literal) : literal == "null") {
      out += literal;
      return;
    }
  }
  if (!is_text_) out += '"';
  append_escaped(value, out);
  out += '"';
}

}  // namespace troupe::text
