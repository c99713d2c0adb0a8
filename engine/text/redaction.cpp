#include "engine/text/redaction.hpp"

#include <algorithm>

namespace troupe::text {
namespace {

constexpr std::string_view word_ends = " \t\r\n\"'`<>,;)]}";
constexpr std::string_view replacement = "[redacted]";

bool is_word_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || letter == '_';
}

struct parts {
  std::string_view before, after;
  bool has_star = false;
};

parts parts_of(std::string_view pattern) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return {pattern, {}, false};
  return {pattern.substr(0, star), pattern.substr(star + 1), true};
}

/// Whether the byte before `at` belongs to the same word: the letter of an escape (\n, \t, as JSON within JSON has them) does not.
bool goes_on_from_word(std::string_view text, std::size_t at) {
  if (at == 0 || !is_word_letter(text[at - 1])) return false;
  constexpr std::string_view escapes = "bfnrt";
  return at < 2 || text[at - 2] != '\\' || escapes.find(text[at - 1]) == escapes.npos;
}

/// Blanks and the quotes, escaped or not, that stand before a value.
std::size_t skip_opening(std::string_view text, std::size_t at) {
  const auto value = text.find_first_not_of(" \\\"'`", at);
  return value == std::string_view::npos ? text.size() : value;
}

/// Where the match ends whose literal begin ends at `behind`.
std::size_t match_end(std::string_view text, const parts& of, std::size_t behind) {
  if (!of.has_star) return behind;
  if (of.after.empty()) return std::min(text.find_first_of(word_ends, skip_opening(text, behind)), text.size());
  const auto after = text.find(of.after, behind);
  return after == std::string_view::npos ? text.size() : after + of.after.size();
}

std::string without_matches(std::string_view text, const parts& of) {
  std::string kept;
  std::size_t taken = 0;
  for (auto begin = text.find(of.before); begin != std::string_view::npos;) {
    // "task-list" is no key that begins with "sk-".
    const bool inside_word = is_word_letter(of.before.front()) && goes_on_from_word(text, begin);
    if (inside_word) {
      begin = text.find(of.before, begin + 1);
      continue;
    }
    kept.append(text, taken, begin - taken).append(replacement);
    taken = match_end(text, of, begin + of.before.size());
    begin = text.find(of.before, taken);
  }
  return kept.append(text, taken);
}

}  // namespace

std::string redacted(std::string_view text, std::span<const std::string> patterns) {
  std::string kept(text);
  for (const auto& pattern : patterns) kept = without_matches(kept, parts_of(pattern));
  return kept;
}

const std::vector<std::string>& usual_secret_patterns() {
  static const std::vector<std::string> patterns{"-----BEGIN*-----END",
                                                 "Bearer *",
                                                 "bearer *",
                                                 "sk-*",
                                                 "tk-*",
                                                 "ghp_*",
                                                 "github_pat_*",
                                                 "xoxb-*",
                                                 "AKIA*",
                                                 "ASIA*",
                                                 "AWS_SECRET_ACCESS_KEY=*",
                                                 "aws_secret_access_key=*",
                                                 "aws_secret_access_key = *"};
  return patterns;
}

std::string check_redaction_pattern(std::string_view pattern) {
  const auto star = pattern.find('*');
  if (star == 0 || pattern.empty()) return "must begin with literal text";
  if (star != std::string_view::npos && pattern.find('*', star + 1) != std::string_view::npos) return "may have one '*'";
  return "";
}

}  // namespace troupe::text
