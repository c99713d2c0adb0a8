#include "engine/text/message_spans.hpp"

namespace troupe::text {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

std::vector<message_span> find_spans(std::span<const core::chat_message> messages, std::string_view rendered) {
  std::vector<message_span> spans;
  std::size_t from = 0;
  for (std::size_t message = 0; message < messages.size(); ++message) {
    const auto& blocks = messages[message].blocks;
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      const auto text = trimmed(blocks[block].text);
      const auto at = text.empty() ? std::string_view::npos : rendered.find(text, from);
      if (at == std::string_view::npos) continue;
      from = at + text.size();
      spans.push_back({message, block, at, from});
    }
  }
  return spans;
}

std::size_t tokens_within(std::span<const token_id> tokens, const tokenizer& spelling, std::size_t bytes) {
  std::size_t count = 0;
  for (std::size_t spelled = 0; count < tokens.size(); ++count) {
    spelled += spelling.token_bytes(tokens[count]).size();
    if (spelled > bytes) break;
  }
  return count;
}

}  // namespace troupe::text
