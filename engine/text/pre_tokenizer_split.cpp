#include "engine/text/pre_tokenizer_split.hpp"

#include <algorithm>

namespace troupe::text {
namespace {

struct stretch {
  text_span span;
  bool hit;
};

std::vector<stretch> cover(text_span span, const std::vector<text_span>& matches, bool invert) {
  std::vector<stretch> all;
  auto from = span.begin;
  for (const auto& match : matches) {
    if (from != match.begin) all.push_back({{from, match.begin}, invert});
    all.push_back({match, !invert});
    from = match.end;
  }
  if (from != span.end) all.push_back({{from, span.end}, invert});
  return all;
}

/// Joins a stretch with the one before it in `order` wherever `joins(before, here)`.
template <class Iterator, class Joins>
void join(Iterator begin, Iterator end, Joins joins, std::vector<text_span>& out) {
  const auto first = out.size();
  bool before = false;
  for (auto here = begin; here != end; ++here) {
    if (joins(before, here->hit) && out.size() > first) {
      out.back() = {std::min(out.back().begin, here->span.begin), std::max(out.back().end, here->span.end)};
    } else {
      out.push_back(here->span);
    }
    before = here->hit;
  }
}

}  // namespace

void cut_span(text_span span, const std::vector<text_span>& matches, split_behavior behavior, bool invert, std::vector<text_span>& out) {
  const auto first = out.size();
  if (matches.empty() && behavior != split_behavior::removed) {
    out.push_back(span);
    return;
  }
  const auto all = cover(span, matches, invert);
  const auto hit_after_other = [](bool before, bool here) { return here && !before; };
  switch (behavior) {
    case split_behavior::isolated:
      for (const auto& each : all) out.push_back(each.span);
      break;
    case split_behavior::removed:
      for (const auto& each : all) {
        if (!each.hit) out.push_back(each.span);
      }
      break;
    case split_behavior::contiguous:
      join(
          all.begin(), all.end(), [](bool before, bool here) { return before == here; }, out);
      break;
    case split_behavior::merged_with_previous:
      join(all.begin(), all.end(), hit_after_other, out);
      break;
    case split_behavior::merged_with_next:
      join(all.rbegin(), all.rend(), hit_after_other, out);
      std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
      break;
  }
  out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), [](text_span s) { return s.begin == s.end; }),
            out.end());
}

}  // namespace troupe::text
