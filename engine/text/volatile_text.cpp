#include "engine/text/volatile_text.hpp"

#include <algorithm>

namespace troupe::text {
namespace {

struct span_of_text {
  std::size_t begin = std::string_view::npos, end = 0;
};

std::size_t line_end(std::string_view text, std::size_t from) { return std::min(text.find('\n', from), text.size()); }

/// The first match at or behind `from`; begin is npos when there is none.
span_of_text find_match(std::string_view text, std::string_view pattern, std::size_t from) {
  const auto star = pattern.find('*');
  const auto before = pattern.substr(0, star);
  const auto after = star == std::string_view::npos ? std::string_view{} : pattern.substr(star + 1);
  const bool takes_line = star != std::string_view::npos && after.empty();
  for (auto begin = text.find(before, from); begin != std::string_view::npos; begin = text.find(before, begin + 1)) {
    if (takes_line) {
      if (begin > 0 && text[begin - 1] != '\n') continue;
      return {begin, std::min(line_end(text, begin) + 1, text.size())};
    }
    const auto end = text.find(after, begin + before.size());
    if (end == std::string_view::npos) return {};
    if (end + after.size() <= line_end(text, begin + before.size())) return {begin, end + after.size()};
  }
  return {};
}

}  // namespace

std::string without_volatile(std::string_view text, std::span<const std::string> patterns) {
  std::string kept(text);
  for (const auto& pattern : patterns) {
    std::size_t from = 0;
    for (auto match = find_match(kept, pattern, from); match.begin != std::string_view::npos; match = find_match(kept, pattern, from)) {
      kept.erase(match.begin, match.end - match.begin);
      from = match.begin;
    }
  }
  return kept;
}

const std::vector<std::string>& usual_volatile_patterns() {
  static const std::vector<std::string> patterns{"x-anthropic-billing-header:*", "<total_tokens>*</total_tokens>"};
  return patterns;
}

std::string check_volatile_pattern(std::string_view pattern) {
  const auto star = pattern.find('*');
  if (star == 0 || pattern.empty()) return "must begin with literal text";
  if (star != std::string_view::npos && pattern.find('*', star + 1) != std::string_view::npos) return "may have one '*'";
  if (pattern.find('\n') != std::string_view::npos) return "must be of one line";
  return "";
}

}  // namespace troupe::text
