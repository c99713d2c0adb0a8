// Where the pieces of a conversation lie in its rendered text, found again by their text in order: a template may trim a piece or leave it
// out (old reasoning, above all), but it does not change their order. What cannot be found has no span.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/chat.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::text {

struct message_span {
  std::size_t message = 0, block = 0;      ///< which piece
  std::size_t byte_begin = 0, byte_end = 0;  ///< of the rendered text
  bool operator==(const message_span&) const = default;
};

/// Of all pieces that are there, in order. Empty pieces have no span.
std::vector<message_span> find_spans(std::span<const core::chat_message> messages, std::string_view rendered);

/// How many of the leading tokens lie within the first `bytes` bytes of what they spell.
std::size_t tokens_within(std::span<const token_id> tokens, const tokenizer& spelling, std::size_t bytes);

}  // namespace troupe::text
