// The `model` of a tokenizer.json, and the tables that make encoding fast: which words are whole, where merges can reach.
#include <algorithm>

#include "engine/text/bpe.hpp"
#include "engine/text/token_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

constexpr std::uint32_t id_max = limits::vocabulary_tokens_max - 1;

void refuse_text(const json_node& model, std::string_view key) {
  if (const auto node = model.maybe(key); node && !node->text().empty()) node->unsupported(key);
}

/// "a b", or ["a", "b"].
std::pair<std::string, std::string> read_merge(const json_node& node) {
  if (node.value().is_string()) {
    const auto& line = node.text();
    const auto gap = line.find(' ');
    if (gap == std::string::npos || line.find(' ', gap + 1) != std::string::npos)
      node.corrupt("two tokens with one space between are expected");
    return {line.substr(0, gap), line.substr(gap + 1)};
  }
  const auto parts = node.items();
  if (parts.size() != 2) node.corrupt("two tokens are expected");
  return {parts[0].text(), parts[1].text()};
}

}  // namespace

bpe::bpe(const json_node& model, bool reads_bytes) : reads_bytes_(reads_bytes) {
  // Files from before `type` have a vocabulary and merges all the same.
  const auto type = model.maybe("type") || !model.maybe("merges") ? model.type() : "BPE";
  if (type != "BPE") model.unsupported("the model " + type);
  refuse_text(model, "continuing_subword_prefix");
  refuse_text(model, "end_of_word_suffix");
  if (const auto dropout = model.maybe("dropout"); dropout && dropout->value() != 0) dropout->unsupported("dropout");
  byte_fallback_ = model.flag("byte_fallback", false);
  fuse_unknown_ = model.flag("fuse_unk", false);
  load_vocabulary(model.at("vocab"));
  if (const auto unknown = model.maybe("unk_token")) {
    const auto id = find(unknown->text());
    if (!id) unknown->corrupt("the token is not in the vocabulary");
    unknown_ = *id;
  }
  load_merges(model.at("merges"));
  load_symbols();
  load_reach();
  load_whole_words(model.flag("ignore_merges", false));
}

void bpe::load_vocabulary(const json_node& vocabulary) {
  std::size_t size = 0;
  const auto& members = vocabulary.members();
  ids_.reserve(members.size());
  for (const auto& [text, value] : members) {
    const json_node node(value, vocabulary.path() + "." + text);
    const auto id = node.number(id_max);
    ids_.emplace(text, static_cast<token_id>(id));
    size = std::max<std::size_t>(size, id + 1);
  }
  texts_.resize(size);
  std::vector<bool> taken(size);
  for (const auto& [text, id] : ids_) {
    const auto at = static_cast<std::size_t>(id);
    if (taken[at]) vocabulary.corrupt("the id " + std::to_string(id) + " is given to two tokens");
    taken[at] = true;
    texts_[at] = text;
  }
}

void bpe::load_merges(const json_node& merges) {
  std::uint32_t rank = 0;
  for (const auto& node : merges.items()) {
    const auto [left, right] = read_merge(node);
    const auto left_id = find(left), right_id = find(right), product = find(left + right);
    if (!left_id || !right_id || !product) node.corrupt("a token of this merge is not in the vocabulary");
    merges_.set(*left_id, *right_id, {rank++, *product});
  }
}

void bpe::load_symbols() {
  near_symbols_.assign(0x10000, -1);
  for (const auto& [text, id] : ids_) {
    std::size_t at = 0;
    if (text.empty()) continue;
    const auto c = next_code_point(text, at);
    if (at == text.size()) (c < near_symbols_.size() ? near_symbols_[c] : far_symbols_[c]) = id;
    auto reads = reads_bytes_ ? bytes_behind(text) : std::optional(text);
    if (!reads) continue;  // never met in byte-level words
    word_bytes_max_ = std::max(word_bytes_max_, reads->size());
    words_.emplace(std::move(*reads), word_entry{id, false});
  }
  for (std::size_t byte = 0; byte < 256; ++byte) byte_symbols_[byte] = symbol_of(byte_alphabet()[byte]);
}

void bpe::load_reach() {
  // A merged token that covers two neighbouring symbols spells them side by side, so pairs that no product spells never join.
  // Tokens that stand for something else than their own text would break that: where one takes part in merges, nothing is cut.
  std::vector<bool> odd(texts_.size());
  if (unknown_ >= 0) odd[static_cast<std::size_t>(unknown_)] = true;
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    for (const auto id : fallback({&text, 1})) odd[static_cast<std::size_t>(id)] = true;
  }
  cuts_ = true;
  std::vector<token_id> symbols;
  merges_.each([&](token_id left, token_id right, const merge_rule& rule) {
    if (odd[static_cast<std::size_t>(left)] || odd[static_cast<std::size_t>(right)]) cuts_ = false;
    symbols.clear();
    const auto& text = texts_[static_cast<std::size_t>(rule.product)];
    for (std::size_t at = 0; at < text.size();) symbols.push_back(symbol_of(next_code_point(text, at)));
    for (std::size_t i = 1; i < symbols.size(); ++i) {
      if (symbols[i - 1] >= 0 && symbols[i] >= 0) reach_.set(symbols[i - 1], symbols[i], {});
    }
  });
}

void bpe::load_whole_words(bool ignore_merges) {
  scratch buffers;
  std::vector<token_id> tokens;
  for (auto& [word, entry] : words_) {
    tokens.clear();
    if (!ignore_merges) encode(word, tokens, buffers);
    entry.whole = ignore_merges || (tokens.size() == 1 && tokens[0] == entry.id);
  }
}

}  // namespace troupe::text
