// Checks of JSON text that is passed on unread: what is accepted here, Python's json reads too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::text {

struct object_text {
  bool valid = false;               ///< one JSON object, at most limits::json_depth_max deep
  std::string_view body{};          ///< what stands between its braces
  std::vector<std::string> keys{};  ///< of the object itself
};
object_text inspect_object(std::string_view text);

/// As a JSON string literal; invalid UTF-8 becomes U+FFFD.
std::string quote(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

}  // namespace troupe::text
