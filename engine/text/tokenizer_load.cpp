// A tokenizer.json as a whole. `truncation` and `padding` are left unread: they belong to batches of training data.
#include <algorithm>
#include <set>

#include "engine/text/token_text.hpp"
#include "engine/text/tokenizer_bpe.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

template <class Part>
Part load_part(const json_node& file, std::string_view key) {
  const auto node = file.maybe(key);
  return node ? Part(*node) : Part();
}

added_token read_added(const json_node& node) {
  added_token token;
  token.id = static_cast<token_id>(node.at("id").number(limits::vocabulary_tokens_max - 1));
  token.content = node.at("content").text();
  if (token.content.empty()) node.corrupt("an added token has no text");
  token.single_word = node.flag("single_word", false);
  token.lstrip = node.flag("lstrip", false);
  token.rstrip = node.flag("rstrip", false);
  token.special = node.flag("special", false);
  token.normalized = node.flag("normalized", !token.special);
  return token;
}

}  // namespace

bpe_tokenizer::bpe_tokenizer(const json_node& file)
    : normalizer_(load_part<normalizer>(file, "normalizer")),
      pre_tokenizer_(load_part<pre_tokenizer>(file, "pre_tokenizer")),
      model_(file.at("model"), pre_tokenizer_.yields_bytes()),
      decoder_(load_part<decoder>(file, "decoder")),
      texts_(model_.texts()) {
  for (const auto& text : texts_) known_.push_back(!text.empty());
  load_added(file);
  special_.resize(texts_.size());
  for (const auto& token : added_.tokens()) special_[static_cast<std::size_t>(token.id)] = token.special;
  if (const auto node = file.maybe("post_processor")) load_frame(*node);
  sizes_ = std::vector<std::atomic<std::uint32_t>>(texts_.size());
}

void bpe_tokenizer::load_added(const json_node& file) {
  std::vector<added_token> tokens;
  std::set<std::string> contents;
  std::set<token_id> ids;
  const auto list = file.maybe("added_tokens");
  for (const auto& node : list ? list->items() : std::vector<json_node>()) {
    auto token = read_added(node);
    const auto at = static_cast<std::size_t>(token.id);
    if (!contents.insert(token.content).second || !ids.insert(token.id).second) node.corrupt("the token is added twice");
    if (const auto known = model_.find(token.content); known && *known != token.id)
      node.corrupt("the vocabulary gives this token another id");
    if (is_known(token.id) && texts_[at] != token.content) node.corrupt("the vocabulary gives this id to another token");
    if (at >= texts_.size()) {
      texts_.resize(at + 1);
      known_.resize(at + 1);
    }
    texts_[at] = token.content;
    known_[at] = true;
    tokens.push_back(std::move(token));
  }
  added_ = added_tokens(std::move(tokens), normalizer_);
}

void bpe_tokenizer::load_frame(const json_node& node) {
  const auto type = node.type();
  if (type == "Sequence") {
    for (const auto& item : node.at("processors").items()) load_frame(item);
  } else if (type == "TemplateProcessing") {
    add_template(node);
  } else if (type != "ByteLevel") {  // ByteLevel moves offsets only
    node.unsupported("the post-processor " + type);
  }
}

void bpe_tokenizer::add_template(const json_node& node) {
  std::vector<token_id> before, after;
  bool sequence_seen = false;
  for (const auto& piece : node.at("single").items()) {
    if (const auto sequence = piece.maybe("Sequence")) {
      if (sequence_seen || sequence->at("id").text() != "A") sequence->unsupported("a template that is not one sequence A");
      sequence_seen = true;
      continue;
    }
    const auto name = piece.at("SpecialToken").at("id");
    for (const auto& id : node.at("special_tokens").at(name.text()).at("ids").items()) {
      const auto token = static_cast<token_id>(id.number(limits::vocabulary_tokens_max - 1));
      if (!is_known(token)) id.corrupt("the id is not in the vocabulary");
      (sequence_seen ? after : before).push_back(token);
    }
  }
  if (!sequence_seen) node.unsupported("a template that is not one sequence A");
  frame_.before.insert(frame_.before.begin(), before.begin(), before.end());
  frame_.after.insert(frame_.after.end(), after.begin(), after.end());
}

}  // namespace troupe::text
