// Where the pieces of a conversation lie in its rendered text, found again by their text in order: a template may trim a piece or leave it
// out (old reasoning, above all), but it does not change their order. What cannot be found has no span.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/chat.hpp"

namespace troupe::text {

struct message_span {
  std::size_t message = 0, block = 0;      ///< which piece
  std::size_t byte_begin = 0, byte_end = 0;  ///< of the rendered text
  bool operator==(const message_span&) const = default;
};

/// Where to go on: the first piece to look for, and behind which byte.
struct span_start {
  std::size_t message = 0, block = 0, byte = 0;
};

/// Of all pieces from `start` on that are there, in order. Empty pieces have no span.
std::vector<message_span> find_spans(std::span<const core::chat_message> messages, std::string_view rendered, span_start start = {});

/// As templates trim a piece.
std::string_view trimmed(std::string_view text);

}  // namespace troupe::text
