#include "engine/text/volatile_text.hpp"

#include <algorithm>

namespace troupe::text {
namespace {

std::size_t line_end(std::string_view text, std::size_t from) { return std::min(text.find('\n', from), text.size()); }

struct parts {
  std::string_view before, after;
  bool takes_line = false;
};

parts parts_of(std::string_view pattern) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return {pattern, {}, false};
  return {pattern.substr(0, star), pattern.substr(star + 1), star + 1 == pattern.size()};
}

/// Where the match ends whose literal begin stands at `begin`; npos: there is none.
std::size_t match_end(std::string_view text, const parts& of, std::size_t begin) {
  const auto behind = begin + of.before.size();
  if (of.takes_line) {
    const bool begins_line = begin == 0 || text[begin - 1] == '\n';
    return begins_line ? std::min(line_end(text, begin) + 1, text.size()) : std::string_view::npos;
  }
  const auto line = text.substr(behind, line_end(text, behind) - behind);
  const auto after = line.find(of.after);
  return after == std::string_view::npos ? after : behind + after + of.after.size();
}

/// Linear: where a line has no end for one begin, it has none for those behind it.
std::string without_matches(std::string_view text, const parts& of) {
  std::string kept;
  std::size_t taken = 0;
  for (auto begin = text.find(of.before); begin != std::string_view::npos;) {
    const auto end = match_end(text, of, begin);
    if (end != std::string_view::npos) {
      kept.append(text, taken, begin - taken);
      taken = end;
    }
    const auto next = end != std::string_view::npos ? end : of.takes_line ? begin + 1 : line_end(text, begin + of.before.size());
    begin = text.find(of.before, next);
  }
  return kept.append(text, taken);
}

}  // namespace

std::string without_volatile(std::string_view text, std::span<const std::string> patterns) {
  std::string kept(text);
  for (const auto& pattern : patterns) kept = without_matches(kept, parts_of(pattern));
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
