// Answers in OpenAI's shapes: chat completions and legacy completions, as one JSON object or as server-sent events.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/answer_writer.hpp"

namespace troupe::gateway {

/// What OpenAI's writers have in common: a failure in the stream is a frame with the error object.
class openai_writer : public answer_writer {
 public:
  void failed(const failure& error, std::string_view request_id, std::string& out) final;
};

/// Chat: role chunk, reasoning and content deltas, tool call deltas (id and name once, then argument fragments), a chunk with the
/// finish reason, the usage when asked for, "[DONE]".
std::unique_ptr<answer_writer> make_chat_writer(answer_shape shape);
/// Legacy completions. Reasoning is text there.
std::unique_ptr<answer_writer> make_completion_writer(answer_shape shape);

// Shared by both.
std::string_view finish_reason_of(turn_end how) noexcept;
void append_usage(std::string& out, const turn_usage& usage);
/// ...{"id":...,"object":...,"created":...,"model":...,"system_fingerprint":...,  (the object stays open)
std::string open_answer(const answer_shape& shape, std::string_view object);

}  // namespace troupe::gateway
