// The `pre_tokenizer` of a tokenizer.json, read into steps.
#include "engine/text/pre_tokenizer.hpp"
#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

// GPT-2's pattern, which ByteLevel uses unless told otherwise.
constexpr auto byte_level_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

split_behavior behavior_of(const json_node& node) {
  const auto& name = node.text();
  if (name == "Isolated") return split_behavior::isolated;
  if (name == "Removed") return split_behavior::removed;
  if (name == "MergedWithPrevious") return split_behavior::merged_with_previous;
  if (name == "MergedWithNext") return split_behavior::merged_with_next;
  if (name == "Contiguous") return split_behavior::contiguous;
  node.unsupported("the behavior " + name);
}

}  // namespace

pre_tokenizer::pre_tokenizer(const json_node& node) {
  add(node);
  if (!steps_.empty() && std::holds_alternative<spell_out>(steps_.back())) {
    steps_.pop_back();
    yields_bytes_ = true;
  }
}

void pre_tokenizer::add(const json_node& node) {
  const auto type = node.type();
  if (type == "Sequence") {
    for (const auto& item : node.at("pretokenizers").items()) add(item);
  } else if (type == "Split") {
    add_split(node);
  } else if (type == "ByteLevel") {
    add_byte_level(node);
  } else if (type == "Digits") {
    steps_.emplace_back(
        split_class{is_numeric, node.flag("individual_digits", false) ? split_behavior::isolated : split_behavior::contiguous});
  } else if (type == "Punctuation") {
    const auto behavior = node.maybe("behavior");
    steps_.emplace_back(split_class{is_punctuation, behavior ? behavior_of(*behavior) : split_behavior::isolated});
  } else if (type == "Metaspace") {
    add_metaspace(node);
  } else {
    node.unsupported("the pre-tokenizer " + type);
  }
}

void pre_tokenizer::add_split(const json_node& node) {
  const auto behavior = behavior_of(node.at("behavior"));
  const bool invert = node.flag("invert", false);
  const auto pattern = node.at("pattern");
  if (const auto literal = pattern.maybe("String")) {
    if (literal->text().empty()) literal->corrupt("an empty pattern matches nothing");
    steps_.emplace_back(split_literal{literal->text(), behavior, invert});
    return;
  }
  const auto regex = pattern.at("Regex");
  steps_.emplace_back(split_regex{token_regex(regex.text(), regex), behavior, invert});
}

void pre_tokenizer::add_byte_level(const json_node& node) {
  if (node.at("add_prefix_space").flag()) steps_.emplace_back(prefix_space{});
  if (node.flag("use_regex", true))
    steps_.emplace_back(split_regex{token_regex(byte_level_pattern, node), split_behavior::isolated, false});
  steps_.emplace_back(spell_out{});
}

void pre_tokenizer::add_metaspace(const json_node& node) {
  const auto replacement = node.at("replacement");
  std::size_t at = 0;
  if (!replacement.text().empty()) next_code_point(replacement.text(), at);
  if (at == 0 || at != replacement.text().size()) replacement.corrupt("one character is expected");
  // Files from before `prepend_scheme` say add_prefix_space.
  auto scheme = node.flag("add_prefix_space", true) ? metaspace::prepend::always : metaspace::prepend::never;
  if (const auto named = node.maybe("prepend_scheme")) {
    const auto& name = named->text();
    if (name != "always" && name != "first" && name != "never") named->unsupported("the prepend_scheme " + name);
    scheme = name == "always" ? metaspace::prepend::always : name == "first" ? metaspace::prepend::first : metaspace::prepend::never;
  }
  steps_.emplace_back(metaspace{replacement.text(), scheme, node.flag("split", true)});
}

}  // namespace troupe::text
