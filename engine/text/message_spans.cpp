#include "engine/text/message_spans.hpp"

namespace troupe::text {
namespace {

constexpr std::size_t call_glue_bytes_max = 64;  // between a tool's name and its arguments: a few quotes and a key

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

namespace {

/// Arguments may be as short as `{}`: they follow their tool's name, or a template has spelled them anew.
std::size_t find_piece(const core::chat_block& block, std::string_view text, std::string_view rendered, std::size_t from) {
  if (block.what != core::chat_block::kind::tool_call || block.name.empty()) return rendered.find(text, from);
  const auto name = rendered.find(block.name, from);
  if (name == std::string_view::npos) return name;
  const auto behind = name + block.name.size();
  const auto at = rendered.substr(behind, text.size() + call_glue_bytes_max).find(text);
  return at == std::string_view::npos ? at : behind + at;
}

/// Where the first text or result behind (message, block) is found from `from` on: reasoning that lies behind it has been left out, and
/// is met again in somebody else's words.
std::size_t find_next_text(std::span<const core::chat_message> messages, span_start behind, std::string_view rendered) {
  for (std::size_t message = behind.message; message < messages.size(); ++message) {
    const auto& blocks = messages[message].blocks;
    for (std::size_t block = message == behind.message ? behind.block + 1 : 0; block < blocks.size(); ++block) {
      const bool is_text = blocks[block].what == core::chat_block::kind::text || blocks[block].what == core::chat_block::kind::tool_result;
      if (const auto text = trimmed(blocks[block].text); is_text && !text.empty()) return rendered.find(text, behind.byte);
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::vector<message_span> find_spans(std::span<const core::chat_message> messages, std::string_view rendered, span_start start) {
  std::vector<message_span> spans;
  std::size_t from = start.byte;
  for (std::size_t message = start.message; message < messages.size(); ++message) {
    const auto& blocks = messages[message].blocks;
    for (std::size_t block = message == start.message ? start.block : 0; block < blocks.size(); ++block) {
      const auto text = trimmed(blocks[block].text);
      const auto at = text.empty() ? std::string_view::npos : find_piece(blocks[block], text, rendered, from);
      if (at == std::string_view::npos) continue;
      const bool may_be_left_out = blocks[block].what == core::chat_block::kind::reasoning;
      if (may_be_left_out && at > find_next_text(messages, {message, block, from}, rendered)) continue;
      from = at + text.size();
      spans.push_back({message, block, at, from});
    }
  }
  return spans;
}

}  // namespace troupe::text
