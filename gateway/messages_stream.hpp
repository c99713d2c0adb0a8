// Answers of Anthropic's Messages protocol, as one JSON object or as server-sent events.
#pragma once

#include <memory>

#include "gateway/answer_writer.hpp"

namespace troupe::gateway {

/// A stream is message_start with the prompt's exact numbers, blocks (thinking, text, tool_use) one after the other, message_delta with
/// the whole usage, message_stop. `input_tokens` excludes what came from cache; what a turn adds to caches is not counted yet.
/// The signature of a thinking block names turn and block. It signs nothing, and comes back unread with the history.
/// Space between two blocks belongs to neither and is left out.
std::unique_ptr<answer_writer> make_messages_writer(answer_shape shape);

}  // namespace troupe::gateway
