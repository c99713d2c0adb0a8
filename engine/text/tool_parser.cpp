#include "engine/text/tool_parser.hpp"

#include "engine/text/hermes_parser.hpp"
#include "engine/text/llama_parser.hpp"
#include "engine/text/mistral_parser.hpp"
#include "engine/text/qwen_coder_parser.hpp"

namespace troupe::text {

std::unique_ptr<tool_parser> tool_parser::make(std::string_view format, std::span<const core::chat_tool> tools) {
  if (format == "hermes") return std::make_unique<hermes_parser>();
  if (format == "qwen3_coder") return std::make_unique<qwen_coder_parser>(tools);
  if (format == "llama3") return std::make_unique<llama_parser>();
  if (format == "mistral") return std::make_unique<mistral_parser>();
  return nullptr;
}

}  // namespace troupe::text
