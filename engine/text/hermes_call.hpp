// Reads the object of a call, {"name": ..., "arguments": ...}, byte by byte, for every format that writes one. The arguments come out as
// raw text, as they arrive; nothing is parsed twice and nothing waits for the end except arguments that stand before the name.
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

/// Which members make an object a call.
struct call_members {
  std::string_view arguments = "arguments";
  std::string_view also_arguments{};  ///< what models write instead
  std::string_view may_precede{};     ///< another member that may stand before name and arguments
  bool name_then_arguments = false;   ///< nothing stands between them: a tool's schema, quoted, has its description there
};

class hermes_call {
 public:
  enum class progress { inside, closed, broken };
  explicit hermes_call(call_members members = {}) : members_(members) {}
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
  progress end_key();
  progress end_value();

  call_members members_;
  place where_ = place::object;
  member which_ = member::other;
  bool knows_member_ = false, has_arguments_ = false, escaped_ = false;
  std::string key_, literal_, name_, arguments_;
  value_scanner scanner_;
};

}  // namespace troupe::text
