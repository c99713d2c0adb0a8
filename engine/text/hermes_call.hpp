// Reads the object inside <tool_call>, {"name": ..., "arguments": ...}, byte by byte. The arguments come out as raw text, as they
// arrive; nothing is parsed twice and nothing waits for the end except arguments that stand before the name.
#pragma once

#include <string>
#include <string_view>

namespace troupe::text {

/// Where one JSON value ends. Brackets are counted, not matched: what it accepts need not be valid.
class value_scanner {
 public:
  enum class progress { inside, ends_here, ended_before, broken };
  progress feed(char byte);

 private:
  bool started_ = false, in_string_ = false, escaped_ = false;
  int depth_ = 0;
};

class hermes_call {
 public:
  enum class progress { inside, closed, broken };
  /// `closed`: this byte was the object's last. `broken`: this byte cannot belong to a call.
  progress feed(char byte);

  [[nodiscard]] bool has_name() const noexcept { return !name_.empty(); }
  [[nodiscard]] bool has_arguments() const noexcept { return has_arguments_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Raw text of the arguments that was not taken yet.
  std::string take_arguments();

 private:
  // object -> key_start -> key -> colon -> value_start -> value -> after_value -> key_start | end
  enum class place { object, key_start, key, colon, value_start, value, after_value };
  enum class member { name, arguments, other };

  progress read_key(char byte);
  progress read_value(char byte);
  progress end_value();

  place where_ = place::object;
  member which_ = member::other;
  bool first_ = true, has_arguments_ = false, escaped_ = false;
  std::string key_, literal_, name_, arguments_;
  value_scanner scanner_;
};

}  // namespace troupe::text
