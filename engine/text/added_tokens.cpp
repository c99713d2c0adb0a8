#include "engine/text/added_tokens.hpp"

#include <algorithm>

#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 && is_word(previous_code_point(text, begin))) || (end < text.size() && is_word(next_code_point(text, end)));
}

std::size_t space_before(std::string_view text, std::size_t at) {
  for (auto before = at; at > 0 && is_space(previous_code_point(text, before));) at = before;
  return at;
}

std::size_t space_behind(std::string_view text, std::size_t at) {
  for (auto behind = at; at < text.size() && is_space(next_code_point(text, behind));) at = behind;
  return at;
}

}  // namespace

void token_trie::add(std::string_view text, std::uint32_t value) {
  std::uint32_t at = 0;
  for (const char byte : text) {
    const auto& children = nodes_[at].children;
    const auto child = std::find_if(children.begin(), children.end(), [&](const auto& each) { return each.first == byte; });
    if (child != children.end()) {
      at = child->second;
      continue;
    }
    const auto made = static_cast<std::uint32_t>(nodes_.size());
    nodes_[at].children.emplace_back(byte, made);
    nodes_.emplace_back();
    at = made;
  }
  if (nodes_[at].value == none) nodes_[at].value = value;
  starts_[static_cast<unsigned char>(text[0])] = true;
}

std::optional<token_trie::match> token_trie::longest(std::string_view text, std::size_t at) const {
  std::optional<match> best;
  std::uint32_t node = 0;
  while (at < text.size()) {
    const auto& children = nodes_[node].children;
    const auto child = std::find_if(children.begin(), children.end(), [&](const auto& each) { return each.first == text[at]; });
    if (child == children.end()) break;
    node = child->second;
    ++at;
    if (nodes_[node].value != none) best = match{at, nodes_[node].value};
  }
  return best;
}

std::size_t token_trie::next_start(std::string_view text, std::size_t at) const {
  while (at < text.size() && !starts_[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

added_tokens::added_tokens(std::vector<added_token> tokens, const normalizer& normalize) : tokens_(std::move(tokens)) {
  // Special ones first: of two that normalise to the same text the first is found.
  for (const bool special : {true, false}) {
    for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].special != special) continue;
      auto content = tokens_[i].content;
      if (tokens_[i].normalized) normalize.apply(content);
      if (content.empty()) continue;
      (tokens_[i].normalized ? normalized_ : raw_).add(content, i);
      if (!tokens_[i].normalized) raw_bytes_max_ = std::max(raw_bytes_max_, content.size());
    }
  }
}

std::vector<added_tokens::part> added_tokens::split_raw(std::string_view text, bool parse_special) const {
  return split(raw_, text, parse_special);
}

std::vector<added_tokens::part> added_tokens::split_normalized(std::string_view text, bool parse_special) const {
  return split(normalized_, text, parse_special);
}

std::vector<added_tokens::part> added_tokens::split(const token_trie& trie, std::string_view text, bool parse_special) const {
  std::vector<part> parts;
  std::size_t done = 0;
  for (std::size_t at = trie.next_start(text, 0); at < text.size(); at = trie.next_start(text, at)) {
    const auto found = trie.longest(text, at);
    if (!found) {
      ++at;
      continue;
    }
    const auto& token = tokens_[found->value];
    auto begin = at;
    auto end = found->end;
    at = end;  // white space taken below may hold the next token: that one is found all the same, as in `tokenizers`
    if (token.special && !parse_special) continue;
    if (token.single_word && touches_word(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(space_before(text, begin), done);
    if (token.rstrip) end = space_behind(text, end);
    if (done < begin) parts.push_back({done, begin, nullptr});
    parts.push_back({begin, end, &token});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), nullptr});
  return parts;
}

}  // namespace troupe::text
