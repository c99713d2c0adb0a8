#include "engine/text/tool_formats.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace troupe::text {
namespace {

constexpr std::array<std::string_view, 4> formats{"hermes", "qwen3_coder", "llama3", "mistral"};
constexpr std::size_t short_id_size = 9;
constexpr std::string_view id_digits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

bool is_tool_format(std::string_view name) noexcept { return std::ranges::find(formats, name) != formats.end(); }

std::string_view tool_format_of(std::string_view chat_template) noexcept {
  const auto has = [&](std::string_view marker) { return chat_template.find(marker) != std::string_view::npos; };
  if (has("<tool_call>")) {
    if (has("<function=")) return "qwen3_coder";
    return has("<arg_key>") ? "" : "hermes";
  }
  if (has("[TOOL_CALLS]")) return "mistral";
  // The small ones of the family write no tag; all of them say the object's shape, in quotes that Jinja may have escaped.
  const bool says_parameters = has("\"parameters\":") || has("\\\"parameters\\\":");
  return has("<|start_header_id|>") && (has("<|python_tag|>") || says_parameters) ? "llama3" : "";
}

std::string tool_call_id(std::string_view format, std::uint64_t number) {
  if (format == "mistral") {
    std::string id;
    for (; id.size() < short_id_size; number /= id_digits.size()) id += id_digits[number % id_digits.size()];
    return id;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "call_%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

}  // namespace troupe::text
