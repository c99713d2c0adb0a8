// How matches become cuts, for every kind of pattern: the five behaviours that `tokenizers` names. A span without a match stays
// whole; empty results are dropped.
#pragma once

#include <vector>

#include "engine/text/pre_tokenizer.hpp"

namespace troupe::text {

/// Cuts `span` at `matches` (ascending, inside it) and appends what is left to `out`.
void cut_span(text_span span, const std::vector<text_span>& matches, split_behavior behavior, bool invert, std::vector<text_span>& out);

/// Cuts every span of `cut`; `find(span, matches)` appends the matches inside one span.
template <class Find>
void split_spans(words& cut, split_behavior behavior, bool invert, Find find) {
  std::vector<text_span> out;
  std::vector<text_span> matches;
  out.reserve(cut.text.size() / 4 + cut.spans.size());
  const auto first = cut.spans.empty() ? 0 : cut.spans.front().begin;
  for (const auto& span : cut.spans) {
    matches.clear();
    find(span, matches);
    cut_span(span, matches, behavior, invert, out);
  }
  cut.spans = std::move(out);
  if (cut.spans.empty() || cut.spans.front().begin != first) cut.begins_input = false;
}

}  // namespace troupe::text
