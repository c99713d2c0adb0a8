// Finds the first stop string in text that arrives in portions. Holds back only what may still become one: the longest end of the
// text that begins a stop string. "First" is the one that is complete first; of two that end together, the longer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::text {

class stop_strings {
 public:
  /// Empty strings are ignored.
  explicit stop_strings(const std::vector<std::string>& stops);

  /// Appends to `out` what is certain not to belong to a stop string. False: one matched; everything later is ignored.
  bool push(std::string_view text, std::string& out);
  /// The text ended: releases what is held.
  void finish(std::string& out);
  [[nodiscard]] const std::string& matched() const noexcept { return matched_; }

 private:
  /// Knuth-Morris-Pratt: failure[i] = length of the longest proper prefix of text[0..i] that also ends it.
  struct pattern {
    std::string text;
    std::vector<std::size_t> failure;
    std::size_t length = 0;  ///< of the prefix that ends the text so far
    void advance(char byte);
  };
  std::vector<pattern> patterns_;
  std::string held_;
  std::string matched_;
};

}  // namespace troupe::text
