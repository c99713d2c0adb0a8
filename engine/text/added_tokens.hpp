// Tokens that are found in the text as they stand, before words are cut: the `added_tokens` of a tokenizer.json. Those that are
// not `normalized` are found in the raw text, the others in what the normalizer leaves between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/normalizer.hpp"
#include "messages/base/ids.hpp"

namespace troupe::text {

struct added_token {
  token_id id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = false;
  bool special = false;
};

/// The longest of a set of strings at a place in a text.
class token_trie {
 public:
  /// The first of two equal strings stays.
  void add(std::string_view text, std::uint32_t value);
  struct match {
    std::size_t end = 0;
    std::uint32_t value = 0;
  };
  [[nodiscard]] std::optional<match> longest(std::string_view text, std::size_t at) const;
  /// The first place at or behind `at` where a string may begin; the text's size if there is none.
  [[nodiscard]] std::size_t next_start(std::string_view text, std::size_t at) const;

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  struct node {
    std::uint32_t value = none;
    std::vector<std::pair<char, std::uint32_t>> children;
  };
  std::vector<node> nodes_{1};
  std::vector<bool> starts_ = std::vector<bool>(256);
};

class added_tokens {
 public:
  added_tokens() = default;
  added_tokens(std::vector<added_token> tokens, const normalizer& normalize);

  /// A stretch of text: an added token with the white space it takes, or text without any (`token` is null).
  struct part {
    std::size_t begin = 0, end = 0;
    const added_token* token = nullptr;
  };
  /// Covers the text. Special tokens stay text unless `parse_special`.
  [[nodiscard]] std::vector<part> split_raw(std::string_view text, bool parse_special) const;
  [[nodiscard]] std::vector<part> split_normalized(std::string_view text, bool parse_special) const;

  [[nodiscard]] const std::vector<added_token>& tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::size_t raw_bytes_max() const noexcept { return raw_bytes_max_; }  ///< of the longest one found in raw text

 private:
  [[nodiscard]] std::vector<part> split(const token_trie& trie, std::string_view text, bool parse_special) const;

  std::vector<added_token> tokens_;
  token_trie raw_, normalized_;
  std::size_t raw_bytes_max_ = 0;
};

}  // namespace troupe::text
