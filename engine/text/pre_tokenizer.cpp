#include "engine/text/pre_tokenizer.hpp"

#include <algorithm>

#include "engine/text/pre_tokenizer_split.hpp"
#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

std::vector<text_span> find_literal(std::string_view text, text_span span, std::string_view literal) {
  std::vector<text_span> matches;
  const auto part = text.substr(span.begin, span.end - span.begin);
  for (auto at = part.find(literal); at != std::string_view::npos; at = part.find(literal, at + literal.size())) {
    matches.push_back({span.begin + at, span.begin + at + literal.size()});
  }
  return matches;
}

/// Gives every span a new text; `rewrite(first, old) -> new`.
template <class Rewrite>
void rewrite_spans(words& cut, Rewrite rewrite) {
  std::string text;
  text.reserve(cut.text.size() + cut.text.size() / 8);
  for (auto& span : cut.spans) {
    const bool first = cut.begins_input && &span == &cut.spans.front();
    const auto begin = text.size();
    text += rewrite(first, std::string_view(cut.text).substr(span.begin, span.end - span.begin));
    span = {begin, text.size()};
  }
  cut.text = std::move(text);
}

}  // namespace

void pre_tokenizer::apply(words& cut) const {
  for (const auto& each : steps_) {
    std::visit([&](const auto& step) { run(step, cut); }, each);
  }
}

void pre_tokenizer::run(const split_regex& step, words& cut) {
  regex_scan scan(step.regex, cut.text);
  split_spans(cut, step.behavior, step.invert, [&](text_span span, std::vector<text_span>& matches) { scan.find(span, matches); });
}

void pre_tokenizer::run(const split_literal& step, words& cut) {
  split_spans(cut, step.behavior, step.invert,
              [&](text_span span, std::vector<text_span>& matches) { matches = find_literal(cut.text, span, step.literal); });
}

void pre_tokenizer::run(const split_class& step, words& cut) {
  split_spans(cut, step.behavior, false, [&](text_span span, std::vector<text_span>& matches) {
    for (auto at = span.begin; at < span.end;) {
      const auto begin = at;
      if (step.holds(next_code_point(cut.text, at))) matches.push_back({begin, at});
    }
  });
}

void pre_tokenizer::run(const prefix_space&, words& cut) {
  rewrite_spans(cut, [](bool, std::string_view old) { return std::string(old.starts_with(' ') ? 0 : 1, ' ').append(old); });
}

void pre_tokenizer::run(const spell_out&, words& cut) {
  rewrite_spans(cut, [](bool, std::string_view old) { return spell_bytes(old); });
}

void pre_tokenizer::run(const metaspace& step, words& cut) {
  rewrite_spans(cut, [&](bool first, std::string_view old) {
    std::string text;
    for (const char byte : old) byte == ' ' ? text.append(step.replacement) : text.append(1, byte);
    const bool wanted = step.scheme == metaspace::prepend::always || (step.scheme == metaspace::prepend::first && first);
    return wanted && !text.starts_with(step.replacement) ? step.replacement + text : text;
  });
  if (!step.split) return;
  split_spans(cut, split_behavior::merged_with_next, false,
              [&](text_span span, std::vector<text_span>& matches) { matches = find_literal(cut.text, span, step.replacement); });
}

}  // namespace troupe::text
