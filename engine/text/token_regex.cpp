#include "engine/text/token_regex.hpp"

#include <cctype>

namespace troupe::text {
namespace {

// ICU saves a state about ten times per character for the patterns in use; a unit of its time limit is 10,000 of them.
constexpr std::int32_t steps_base = 200;
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

token_regex::token_regex(const std::string& pattern, const json_node& where) : by_hand_(ascii_words::of(pattern)) {
  if (const auto construct = differing(pattern)) where.unsupported("the regex construct " + *construct);
  UErrorCode status = U_ZERO_ERROR;
  UParseError error{};
  // Oniguruma's ^ and $ match at every \n, and at \n only.
  const auto flags = static_cast<std::uint32_t>(UREGEX_MULTILINE) | static_cast<std::uint32_t>(UREGEX_UNIX_LINES);
  pattern_.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(pattern), flags, error, status));
  if (U_FAILURE(status) || !pattern_) where.unsupported("the regex " + pattern + " (" + u_errorName(status) + ")");
}

regex_scan::regex_scan(const token_regex& regex, std::string_view text) : regex_(regex), text_(text) {
  if (!regex.by_hand()) start_engine();
}

void regex_scan::start_engine() {
  units_ = icu::UnicodeString::fromUTF8({text_.data(), static_cast<std::int32_t>(text_.size())});
  UErrorCode status = U_ZERO_ERROR;
  matcher_.reset(regex_.pattern().matcher(units_, status));
}

void regex_scan::move_to(std::size_t byte) {
  while (byte_ < byte && unit_ < units_.length()) byte_ += utf8_bytes(units_.charAt(static_cast<std::int32_t>(unit_++)));
}

std::size_t regex_scan::byte_of(std::int64_t unit) {
  while (unit_ < unit) byte_ += utf8_bytes(units_.charAt(static_cast<std::int32_t>(unit_++)));
  return byte_;
}

std::int64_t regex_scan::unit_behind(text_span piece) const {
  auto limit = unit_;
  for (auto byte = piece.begin; byte < piece.end; ++limit) byte += utf8_bytes(units_.charAt(static_cast<std::int32_t>(limit)));
  return limit;
}

/// Prepares for matches between the two units.
bool regex_scan::search(std::int64_t begin, std::int64_t limit) {
  UErrorCode status = U_ZERO_ERROR;
  matcher_->setTimeLimit(steps_base + static_cast<std::int32_t>((limit - begin) / characters_per_step), status);
  matcher_->region(begin, limit, status);
  return U_SUCCESS(status);
}

void regex_scan::find(text_span piece, std::vector<text_span>& matches) {
  if (regex_.by_hand()) return find_by_hand(*regex_.by_hand(), piece, matches);
  if (!matcher_) return;
  move_to(piece.begin);
  if (!search(unit_, unit_behind(piece))) return;
  UErrorCode status = U_ZERO_ERROR;
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

void regex_scan::find_by_hand(const ascii_words& words, text_span piece, std::vector<text_span>& matches) {
  const auto text = text_.substr(0, piece.end);
  std::optional<std::int64_t> limit;
  for (auto at = piece.begin; at < piece.end; at = matches.back().end) {
    if (const auto end = words.match(text, at)) {
      matches.push_back({at, *end});
      continue;
    }
    if (!matcher_) start_engine();
    if (!matcher_) return;
    move_to(at);
    if (!limit) limit = unit_behind({at, piece.end});
    UErrorCode status = U_ZERO_ERROR;
    if (!search(unit_, *limit) || !matcher_->find(status) || U_FAILURE(status)) return;  // as above, the rest has no match
    const auto from_byte = byte_of(matcher_->start64(status));
    matches.push_back({from_byte, byte_of(matcher_->end64(status))});
  }
}

}  // namespace troupe::text
