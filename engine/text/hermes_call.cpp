#include "engine/text/hermes_call.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace troupe::text {
namespace {

constexpr std::size_t key_bytes_max = 32;  // no member that is looked for is as long

bool is_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

}  // namespace

value_scanner::progress value_scanner::feed(char byte) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (byte == '\\') {
      escaped_ = true;
    } else if (byte == '"') {
      in_string_ = false;
      if (depth_ == 0) return progress::ends_here;
    }
    return progress::inside;
  }
  const bool first = !std::exchange(started_, true);
  if (byte == '"' && (first || depth_ > 0)) {
    in_string_ = true;
    return progress::inside;
  }
  if ((byte == '{' || byte == '[') && (first || depth_ > 0)) return ++depth_, progress::inside;
  if (depth_ > 0) {
    if (byte == '}' || byte == ']') return --depth_ == 0 ? progress::ends_here : progress::inside;
    return byte == '<' ? progress::broken : progress::inside;  // outside of strings no JSON has one: the call was cut off
  }
  const bool literal =
      (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '+' || byte == '.' || byte == 'E';
  if (literal) return progress::inside;
  return first ? progress::broken : progress::ended_before;
}

hermes_call::progress hermes_call::feed(char byte) {
  if (where_ == place::key) return read_key(byte);
  if (where_ == place::value) return read_value(byte);
  if (is_space(byte)) return progress::inside;
  switch (where_) {
    case place::object:
      where_ = place::key_start;
      return byte == '{' ? progress::inside : progress::broken;
    case place::key_start:
      if (byte == '}') return progress::closed;
      key_.clear();
      where_ = place::key;
      return byte == '"' ? progress::inside : progress::broken;
    case place::colon:
      if (which_ == member::arguments) has_arguments_ = true;
      literal_.clear();
      scanner_ = value_scanner{};
      where_ = place::value_start;
      return byte == ':' ? progress::inside : progress::broken;
    case place::value_start:
      where_ = place::value;
      return read_value(byte);
    default:  // after_value
      if (byte == '}') return progress::closed;
      where_ = place::key_start;
      return byte == ',' ? progress::inside : progress::broken;
  }
}

hermes_call::progress hermes_call::read_key(char byte) {
  if (byte != '"' || escaped_) {
    escaped_ = !escaped_ && byte == '\\';
    if (key_.size() < key_bytes_max) key_ += byte;
    return progress::inside;
  }
  where_ = place::colon;
  return end_key();
}

hermes_call::progress hermes_call::end_key() {
  // Of a member that comes twice, the first counts.
  const bool is_name = key_ == "name" && name_.empty();
  const bool says_arguments = key_ == members_.arguments || (!members_.also_arguments.empty() && key_ == members_.also_arguments);
  const bool is_arguments = says_arguments && !has_arguments_;
  which_ = is_name ? member::name : is_arguments ? member::arguments : member::other;
  if (which_ == member::other) {
    // A call begins with its name or its arguments; any other object is the model quoting something.
    const bool may_stand = knows_member_ ? has_arguments_ || !members_.name_then_arguments : key_ == members_.may_precede;
    return may_stand ? progress::inside : progress::broken;
  }
  knows_member_ = true;
  return progress::inside;
}

hermes_call::progress hermes_call::read_value(char byte) {
  const auto step = scanner_.feed(byte);
  if (step == value_scanner::progress::broken) return progress::broken;
  if (step != value_scanner::progress::ended_before) {
    if (which_ == member::name) literal_ += byte;
    if (which_ == member::arguments) arguments_ += byte;
  }
  if (step == value_scanner::progress::inside) return progress::inside;
  if (end_value() == progress::broken) return progress::broken;
  return step == value_scanner::progress::ended_before ? feed(byte) : progress::inside;
}

hermes_call::progress hermes_call::end_value() {
  where_ = place::after_value;
  if (which_ != member::name) return progress::inside;
  const auto name = nlohmann::json::parse(literal_, nullptr, false);
  if (!name.is_string() || name.get_ref<const std::string&>().empty()) return progress::broken;
  name_ = name.get<std::string>();
  return progress::inside;
}

std::string hermes_call::take_arguments() { return std::exchange(arguments_, {}); }

}  // namespace troupe::text
