// Regular expressions of tokenizer files on ICU. The files are written for Oniguruma: what the two read differently is refused by
// name, the rest matches the same. A match may not take unbounded time or stack: past the bound the rest of a piece has no match,
// which is counted in engine steps, not in seconds, so that every machine tokenises alike.
#pragma once

#include <unicode/regex.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/ascii_words.hpp"
#include "engine/text/token_json.hpp"

namespace troupe::text {

/// Byte offsets into the text at hand.
struct text_span {
  std::size_t begin = 0, end = 0;
  bool operator==(const text_span&) const = default;
};

class token_regex {
 public:
  /// Fails with load_error at `where`.
  token_regex(const std::string& pattern, const json_node& where);
  [[nodiscard]] const icu::RegexPattern& pattern() const noexcept { return *pattern_; }
  [[nodiscard]] const std::optional<ascii_words>& by_hand() const noexcept { return by_hand_; }

 private:
  std::optional<ascii_words> by_hand_;
  std::shared_ptr<const icu::RegexPattern> pattern_;
};

/// One text under one regex: converts to UTF-16 once, if at all. Neighbouring pieces do not see each other. The text outlives the scan.
class regex_scan {
 public:
  regex_scan(const token_regex& regex, std::string_view text);
  regex_scan(const regex_scan&) = delete;
  /// Appends the matches inside `piece`; pieces come in ascending order.
  void find(text_span piece, std::vector<text_span>& matches);

 private:
  void find_by_hand(const ascii_words& words, text_span piece, std::vector<text_span>& matches);
  void start_engine();
  /// The engine's unit at the end of the piece that begins where it stands.
  [[nodiscard]] std::int64_t unit_behind(text_span piece) const;
  [[nodiscard]] bool search(std::int64_t begin, std::int64_t limit);
  void move_to(std::size_t byte);
  [[nodiscard]] std::size_t byte_of(std::int64_t unit);

  const token_regex& regex_;
  std::string_view text_;
  icu::UnicodeString units_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
  std::size_t byte_ = 0;  ///< the same place as unit_
  std::int64_t unit_ = 0;
};

}  // namespace troupe::text
