#include "engine/text/bpe.hpp"

#include <algorithm>
#include <queue>

#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

constexpr std::uint32_t no_rank = ~std::uint32_t{0};
// 64: up to there scanning all ranks for each merge costs less than a heap.
constexpr std::size_t short_word = 64;

}  // namespace

std::optional<token_id> bpe::find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

token_id bpe::symbol_of(char32_t code_point) const {
  if (code_point < near_symbols_.size()) return near_symbols_[code_point];
  const auto found = far_symbols_.find(code_point);
  return found == far_symbols_.end() ? -1 : found->second;
}

/// The byte tokens of a character, or nothing when one of them is not in the vocabulary.
std::vector<token_id> bpe::fallback(std::string_view character) const {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::vector<token_id> tokens;
  if (!byte_fallback_) return tokens;
  for (const char byte : character) {
    const auto value = static_cast<unsigned char>(byte);
    const auto token = find(std::string("<0x") + digits[value >> 4] + digits[value & 15] + ">");
    if (!token) return {};
    tokens.push_back(*token);
  }
  return tokens;
}

void bpe::split(std::string_view word, std::vector<token_id>& symbols) const {
  bool pending = false;  // an unknown token that may swallow its next neighbour; byte tokens overtake it, as in `tokenizers`
  for (std::size_t at = 0; at < word.size();) {
    const auto begin = at;
    const auto symbol = reads_bytes_ ? byte_symbols_[static_cast<unsigned char>(word[at++])] : symbol_of(next_code_point(word, at));
    if (symbol >= 0) {
      if (pending) symbols.push_back(unknown_);
      pending = false;
      symbols.push_back(symbol);
      continue;
    }
    const auto part = word.substr(begin, at - begin);
    const auto bytes = fallback(reads_bytes_ ? spell_bytes(part) : std::string(part));
    symbols.insert(symbols.end(), bytes.begin(), bytes.end());
    if (!bytes.empty() || unknown_ < 0) continue;
    if (pending && !fuse_unknown_) symbols.push_back(unknown_);
    pending = true;
  }
  if (pending) symbols.push_back(unknown_);
}

void bpe::encode(std::string_view word, std::vector<token_id>& out, scratch& buffers) const {
  if (word.size() <= word_bytes_max_) {
    if (const auto found = words_.find(word); found != words_.end() && found->second.whole) {
      out.push_back(found->second.id);
      return;
    }
  }
  auto& symbols = buffers.symbols;
  symbols.clear();
  split(word, symbols);
  std::size_t begin = 0;
  for (std::size_t i = 1; i < symbols.size(); ++i) {
    if (!cuts_ || reach_.find(symbols[i - 1], symbols[i])) continue;
    merge(symbols, begin, i, out, buffers);
    begin = i;
  }
  merge(symbols, begin, symbols.size(), out, buffers);
}

void bpe::merge(std::vector<token_id>& symbols, std::size_t begin, std::size_t end, std::vector<token_id>& out, scratch& buffers) const {
  if (end - begin == 1) {
    out.push_back(symbols[begin]);
  } else if (end - begin <= short_word) {
    merge_short(symbols.data() + begin, end - begin, out, buffers);
  } else {
    merge_long(symbols.data() + begin, end - begin, out);
  }
}

void bpe::merge_short(token_id* symbols, std::size_t count, std::vector<token_id>& out, scratch& buffers) const {
  auto& ranks = buffers.ranks;  // ranks[i]: of the pair (i, i + 1)
  const auto rank_at = [&](std::size_t i) {
    const auto* rule = merges_.find(symbols[i], symbols[i + 1]);
    return rule ? rule->rank : no_rank;
  };
  ranks.clear();
  for (std::size_t i = 0; i + 1 < count; ++i) ranks.push_back(rank_at(i));
  while (!ranks.empty()) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == no_rank) break;
    const auto i = static_cast<std::size_t>(lowest - ranks.begin());
    symbols[i] = merges_.find(symbols[i], symbols[i + 1])->product;
    std::copy(symbols + i + 2, symbols + count, symbols + i + 1);
    ranks.erase(lowest);
    --count;
    if (i > 0) ranks[i - 1] = rank_at(i - 1);
    if (i + 1 < count) ranks[i] = rank_at(i);
  }
  out.insert(out.end(), symbols, symbols + count);
}

void bpe::merge_long(token_id* symbols, std::size_t count, std::vector<token_id>& out) const {
  struct candidate {
    std::uint32_t rank, at;
    token_id left, right;
    bool operator>(const candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };
  std::vector<candidate> found;
  std::vector<std::uint32_t> next(count), previous(count);
  const auto consider = [&](std::uint32_t left, std::uint32_t right) -> std::optional<candidate> {
    const auto* rule = merges_.find(symbols[left], symbols[right]);
    if (!rule) return std::nullopt;
    return candidate{rule->rank, left, symbols[left], symbols[right]};
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 == count) break;
    if (const auto made = consider(i, i + 1)) found.push_back(*made);
  }
  std::priority_queue<candidate, std::vector<candidate>, std::greater<>> queue(std::greater<>{}, std::move(found));
  constexpr token_id gone = -1;
  while (!queue.empty()) {
    const auto top = queue.top();
    queue.pop();
    const auto right = next[top.at];
    if (symbols[top.at] != top.left || right >= count || symbols[right] != top.right) continue;  // a neighbour has changed since
    symbols[top.at] = merges_.find(top.left, top.right)->product;
    symbols[right] = gone;
    next[top.at] = next[right];
    if (next[right] < count) previous[next[right]] = top.at;
    if (previous[top.at] < count) {
      if (const auto made = consider(previous[top.at], top.at)) queue.push(*made);
    }
    if (next[top.at] < count) {
      if (const auto made = consider(top.at, next[top.at])) queue.push(*made);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (symbols[i] != gone) out.push_back(symbols[i]);
  }
}

}  // namespace troupe::text
