#include "engine/text/token_regex.hpp"

#include <cctype>

namespace troupe::text {
namespace {

// ICU saves a state about ten times per character for the patterns in use; a unit of its time limit is 10,000 of them.
constexpr std::int32_t steps_base = 1'000;
constexpr std::int32_t characters_per_step = 50;

/// The end of the escape that begins at `at`.
std::size_t escape_end(std::string_view pattern, std::size_t at) {
  if (at + 2 >= pattern.size() || pattern[at + 2] != '{') return at + 2;
  const auto close = pattern.find('}', at);  // \p{L}, \x{20}
  return close == std::string_view::npos ? pattern.size() : close + 1;
}

/// A construct that Oniguruma and ICU read differently, or nothing.
std::optional<std::string> differing(std::string_view pattern) {
  static constexpr std::string_view same_escapes = "pPsSdDwWrntfuxAz";
  int depth = 0;  // of [...]
  for (std::size_t at = 0; at < pattern.size();) {
    const auto rest = pattern.substr(at);
    if (rest[0] == '\\' && rest.size() > 1) {
      const auto letter = static_cast<unsigned char>(rest[1]);
      if (letter < 0x80 && std::isalnum(letter) && same_escapes.find(rest[1]) == std::string_view::npos)
        return std::string(rest.substr(0, 2));
      at = same_escapes.find(rest[1]) == std::string_view::npos ? at + 2 : escape_end(pattern, at);
      continue;
    }
    if (rest.starts_with("[:")) return "[:";
    if (rest[0] == '[') ++depth;
    if (rest[0] == ']' && depth > 0) --depth;
    // A counted repetition with + behind it: possessive in ICU, repeated once more in Oniguruma.
    if (depth == 0 && rest.starts_with("}+")) return "}+";
    const bool named = rest.starts_with("(?") && rest.size() > 2 && (std::isalpha(static_cast<unsigned char>(rest[2])) || rest[2] == '-');
    if (depth == 0 && named && !rest.starts_with("(?i:") && !rest.starts_with("(?i)")) return std::string(rest.substr(0, 4));
    ++at;
  }
  return std::nullopt;
}

constexpr std::size_t utf8_bytes(char16_t unit) {
  if (unit < 0x80) return 1;
  return unit < 0x800 || (unit >= 0xD800 && unit < 0xE000) ? 2 : 3;  // a surrogate is half of four bytes
}

}  // namespace

token_regex::token_regex(const std::string& pattern, const json_node& where) {
  if (const auto construct = differing(pattern)) where.unsupported("the regex construct " + *construct);
  UErrorCode status = U_ZERO_ERROR;
  UParseError error{};
  // Oniguruma's ^ and $ match at every \n, and at \n only.
  const auto flags = static_cast<std::uint32_t>(UREGEX_MULTILINE) | static_cast<std::uint32_t>(UREGEX_UNIX_LINES);
  pattern_.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(pattern), flags, error, status));
  if (U_FAILURE(status) || !pattern_) where.unsupported("the regex " + pattern + " (" + u_errorName(status) + ")");
}

regex_scan::regex_scan(const token_regex& regex, std::string_view text)
    : units_(icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())})) {
  UErrorCode status = U_ZERO_ERROR;
  matcher_.reset(regex.pattern().matcher(units_, status));
}

void regex_scan::move_to(std::size_t byte) {
  while (byte_ < byte && unit_ < units_.length()) byte_ += utf8_bytes(units_.charAt(static_cast<std::int32_t>(unit_++)));
}

std::size_t regex_scan::byte_of(std::int64_t unit) {
  while (unit_ < unit) byte_ += utf8_bytes(units_.charAt(static_cast<std::int32_t>(unit_++)));
  return byte_;
}

void regex_scan::find(text_span piece, std::vector<text_span>& matches) {
  if (!matcher_) return;
  move_to(piece.begin);
  const auto begin = unit_;
  auto limit = begin;
  for (auto byte = piece.begin; byte < piece.end; ++limit) byte += utf8_bytes(units_.charAt(static_cast<std::int32_t>(limit)));
  UErrorCode status = U_ZERO_ERROR;
  matcher_->setTimeLimit(steps_base + static_cast<std::int32_t>((limit - begin) / characters_per_step), status);
  matcher_->region(begin, limit, status);
  std::int64_t last_end = -1;
  while (matcher_->find(status) && U_SUCCESS(status)) {
    const auto from = matcher_->start64(status);
    const auto to = matcher_->end64(status);
    if (from == to && to == last_end) continue;  // Oniguruma takes no empty match right behind the last one
    const auto from_byte = byte_of(from);
    matches.push_back({from_byte, byte_of(to)});
    last_end = to;
  }
}

}  // namespace troupe::text
