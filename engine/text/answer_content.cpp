#include "engine/text/answer_content.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/text/message_spans.hpp"

namespace troupe::text {
namespace {

void take(const std::vector<answer_piece>& pieces, answer_content& content) {
  for (const auto& piece : pieces) {
    switch (piece.what) {
      case answer_piece::kind::text:
        content.text += piece.text;
        break;
      case answer_piece::kind::reasoning:
        content.reasoning += piece.text;
        break;
      case answer_piece::kind::tool_begin:
        content.calls.push_back({piece.text, {}});
        break;
      case answer_piece::kind::tool_arguments:
        if (!content.calls.empty()) content.calls.back().arguments += piece.text;
        break;
    }
  }
}

bool is_same_json(const std::string& left, const std::string& right) {
  if (left == right) return true;
  const auto a = nlohmann::json::parse(left, nullptr, false), b = nlohmann::json::parse(right, nullptr, false);
  return !a.is_discarded() && !b.is_discarded() && a == b;
}

}  // namespace

answer_content read_answer(std::shared_ptr<const tokenizer> tokens, answer_options options, std::span<const token_id> answer) {
  options.stop.clear();
  answer_decoder decoder(std::move(tokens), std::move(options));
  answer_content content;
  std::vector<answer_piece> pieces;
  for (const token_id token : answer) decoder.push(token, pieces);
  decoder.finish(pieces);
  take(pieces, content);
  return content;
}

bool says_the_same(const answer_content& left, const answer_content& right) {
  return trimmed(left.text) == trimmed(right.text) && trimmed(left.reasoning) == trimmed(right.reasoning) &&
         std::ranges::equal(left.calls, right.calls, [](const auto& a, const auto& b) {
           return a.name == b.name && is_same_json(a.arguments, b.arguments);
         });
}

}  // namespace troupe::text
