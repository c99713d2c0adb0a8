// Answers of Anthropic's Messages protocol, as one JSON object or as server-sent events.
#pragma once

#include <memory>

#include "gateway/answer_writer.hpp"
#include "gateway/reasoning_seal.hpp"

namespace troupe::gateway {

/// A stream is message_start with the prompt's exact numbers, blocks (thinking, text, tool_use) one after the other, message_delta with
/// the whole usage, message_stop. `input_tokens` excludes what came from cache and what the turn has added to it.
/// The signature of a thinking block is the thinking itself, sealed: what comes back with it is known again whatever became of the text beside
/// it. Without a key it only names turn and block. Space between two blocks belongs to neither and is left out.
std::unique_ptr<answer_writer> make_messages_writer(answer_shape shape, reasoning_sealer seal = {});

}  // namespace troupe::gateway
