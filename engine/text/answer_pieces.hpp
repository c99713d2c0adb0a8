// What the stages of the answer decoder share: joining neighbouring pieces, and the part of a text that may become a marker.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

/// Appends text to the last piece when it is of the same kind and call, else as a new piece. Nothing for empty text.
inline void append_piece(std::vector<answer_piece>& pieces, answer_piece::kind what, std::string_view text, std::uint32_t tool_index = 0) {
  if (text.empty()) return;
  const bool joins = !pieces.empty() && pieces.back().what == what && pieces.back().tool_index == tool_index;
  if (joins) {
    pieces.back().text += text;
  } else {
    pieces.push_back({.what = what, .text = std::string(text), .tool_index = tool_index});
  }
}

/// Length of the longest end of `text` that is a proper beginning of `marker`.
inline std::size_t suffix_that_begins(std::string_view text, std::string_view marker) {
  std::size_t length = std::min(text.size(), marker.size() - 1);
  while (!text.ends_with(marker.substr(0, length))) --length;
  return length;
}

}  // namespace troupe::text
