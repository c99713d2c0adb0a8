#include "engine/text/tool_parser.hpp"

#include "engine/text/hermes_parser.hpp"

namespace troupe::text {

std::unique_ptr<tool_parser> tool_parser::make(std::string_view format) {
  if (format == "hermes") return std::make_unique<hermes_parser>();
  return nullptr;
}

}  // namespace troupe::text
