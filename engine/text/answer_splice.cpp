#include "engine/text/answer_splice.hpp"

#include <algorithm>
#include <utility>

#include "engine/text/answer_content.hpp"
#include "engine/text/common_bytes.hpp"

namespace troupe::text {

void answer_splice::remember(std::vector<token_id> answer, std::vector<token_id> ends, answer_options options) {
  pending_.clear();
  if (!answer.empty() && std::ranges::find(ends, answer.back()) != ends.end()) answer.pop_back();
  if (answer.empty()) return;
  std::vector<core::chat_tool> tools(options.tools.begin(), options.tools.end());
  options.tools = {};
  pending_.push_back({std::move(answer), std::move(ends), std::move(options), std::move(tools)});
}

std::string answer_splice::spell(const std::vector<token_id>& tokens) const {
  std::string text;
  for (const token_id token : tokens) text += tokenizer_->token_bytes(token);
  return text;
}

/// The rendering of the pending answer begins at `begin` and ends before the token that ended it.
void answer_splice::place(const std::string& rendered, std::size_t begin) {
  auto [tokens, ends, options, tools] = std::move(pending_.front());
  options.tools = tools;
  const auto rest = std::string_view(rendered).substr(begin);
  for (const auto& special : tokenizer_->find_specials(rest)) {
    if (std::ranges::find(ends, special.token) == ends.end()) continue;
    const auto written = rest.substr(0, special.begin);
    auto text = spell(tokens);
    const auto canonical = tokenizer_->encode(written, {.add_special_tokens = false, .parse_special_tokens = true});
    if (text == written && canonical == tokens) return;
    if (text != written && !says_the_same(read_answer(tokenizer_, options, tokens), read_answer(tokenizer_, options, canonical))) return;
    known_.push_back({begin, begin + written.size(), begin + std::max(special.end, special.decided), std::move(text), std::move(tokens)});
    return;
  }
}

std::string answer_splice::apply(std::string rendered) {
  const auto equal = common_bytes(rendered_, rendered);
  std::erase_if(known_, [&](const answer& each) { return each.decided > equal; });
  if (!pending_.empty() && equal == rendered_.size() && rendered.size() > equal) place(rendered, equal);
  pending_.clear();
  forced_.clear();
  std::string spliced;
  std::size_t taken = 0;
  for (const auto& each : known_) {
    spliced.append(rendered, taken, each.begin - taken);
    forced_.push_back({spliced.size(), spliced.size() + each.text.size(), each.tokens});
    spliced += each.text;
    taken = each.end;
  }
  spliced.append(rendered, taken);
  rendered_ = std::move(rendered);
  return spliced;
}

}  // namespace troupe::text
