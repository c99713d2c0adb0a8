// The alternatives of the pattern, in its order, each a few lines here:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)   [^\r\n\p{L}\p{N}]?\p{L}+   \p{N}{1,3}    ?[^\s\p{L}\p{N}]+[\r\n]*   \s*[\r\n]+   \s+(?!\S)   \s+
#include "engine/text/ascii_words.hpp"

#include <array>
#include <cstdint>

namespace troupe::text {
namespace {

constexpr std::string_view before_digits = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
constexpr std::string_view behind_digits = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// `foreign`: not ASCII, or a control character of which the engines think differently.
enum class sort : std::uint8_t { foreign, letter, digit, blank, line, other };

constexpr std::array<sort, 256> sorts = [] {
  std::array<sort, 256> made{};
  for (unsigned byte = 0x21; byte < 0x7F; ++byte) made[byte] = sort::other;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) made[byte] = made[byte - 'a' + 'A'] = sort::letter;
  for (unsigned byte = '0'; byte <= '9'; ++byte) made[byte] = sort::digit;
  made[' '] = made['\t'] = sort::blank;
  made['\r'] = made['\n'] = sort::line;
  return made;
}();

class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}
  [[nodiscard]] bool ends(std::size_t at) const { return at >= text_.size(); }
  [[nodiscard]] bool is(std::size_t at, sort wanted) const { return !ends(at) && sort_at(at) == wanted; }
  [[nodiscard]] sort sort_at(std::size_t at) const { return sorts[static_cast<unsigned char>(text_[at])]; }
  [[nodiscard]] char lower(std::size_t at) const { return ends(at) ? '\0' : static_cast<char>(text_[at] | 0x20); }
  [[nodiscard]] std::size_t run(std::size_t at, sort wanted) const {
    while (is(at, wanted)) ++at;
    return at;
  }
  /// `end`, unless what follows may belong to the match too.
  [[nodiscard]] std::optional<std::size_t> closed(std::size_t end) const {
    return is(end, sort::foreign) ? std::nullopt : std::optional{end};
  }

 private:
  std::string_view text_;
};

/// The length of a contraction's end at `at`, behind its apostrophe; 0: none.
std::size_t contraction(const reader& text, std::size_t at) {
  const char first = text.lower(at), second = text.lower(at + 1);
  if (!text.is(at, sort::letter)) return 0;
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 1;
  if (!text.is(at + 1, sort::letter)) return 0;
  return (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l') ? 2 : 0;
}

std::optional<std::size_t> match_digits(const reader& text, std::size_t at, std::size_t most) {
  const auto begin = at;
  while (at - begin < most && text.is(at, sort::digit)) ++at;
  return at - begin < most ? text.closed(at) : std::optional{at};
}

/// Punctuation and the line ends behind it.
std::optional<std::size_t> match_others(const reader& text, std::size_t at) {
  at = text.run(at, sort::other);
  if (text.is(at, sort::foreign)) return std::nullopt;
  return text.run(at, sort::line);
}

std::optional<std::size_t> match_space(const reader& text, std::size_t at) {
  const auto begin = at;
  std::size_t behind_line = 0;
  for (; text.is(at, sort::blank) || text.is(at, sort::line); ++at)
    if (text.is(at, sort::line)) behind_line = at + 1;
  if (text.is(at, sort::foreign)) return std::nullopt;
  if (behind_line > 0) return behind_line;
  // The last blank goes with the word behind it.
  return text.ends(at) || at - begin == 1 ? at : at - 1;
}

}  // namespace

std::optional<ascii_words> ascii_words::of(std::string_view pattern) {
  if (!pattern.starts_with(before_digits) || !pattern.ends_with(behind_digits)) return std::nullopt;
  if (pattern.size() < before_digits.size() + behind_digits.size()) return std::nullopt;
  const auto digits = pattern.substr(before_digits.size(), pattern.size() - before_digits.size() - behind_digits.size());
  if (digits == R"(\p{N})") return ascii_words(1);
  if (digits == R"(\p{N}{1,3})") return ascii_words(3);
  return std::nullopt;
}

std::optional<std::size_t> ascii_words::match(std::string_view bytes, std::size_t at) const {
  const reader text(bytes);
  const auto first = text.sort_at(at);
  if (first == sort::foreign || text.is(at + 1, sort::foreign)) return std::nullopt;
  if (bytes[at] == '\'') {
    if (text.is(at + 2, sort::foreign)) return std::nullopt;
    if (const auto length = contraction(text, at + 1); length > 0) return at + 1 + length;
  }
  if (first == sort::letter) return text.closed(text.run(at, sort::letter));
  if ((first == sort::blank || first == sort::other) && text.is(at + 1, sort::letter)) return text.closed(text.run(at + 1, sort::letter));
  if (first == sort::digit) return match_digits(text, at, digits_max_);
  if (first == sort::other) return match_others(text, at);
  if (bytes[at] == ' ' && text.is(at + 1, sort::other)) return match_others(text, at + 1);
  return match_space(text, at);
}

}  // namespace troupe::text
