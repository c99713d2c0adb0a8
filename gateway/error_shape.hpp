// Failures in the shape of the protocol that was spoken.
// OpenAI: {"error": {"message", "type", "param", "code"}}, always with all four keys.
// Anthropic: {"type": "error", "error": {"type", "message"}, "request_id"}; the message names the field at fault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

enum class error_shape : std::uint8_t { openai, anthropic };

/// Anthropic's at and below /v1/messages, and for every request that names an `anthropic-version`.
error_shape error_shape_of(const http_request& request);

/// The JSON object alone, in OpenAI's shape. `code` is the errc's name; an absent param is null.
std::string error_json(const failure& error);
/// The same in Anthropic's.
std::string anthropic_error_json(const failure& error, std::string_view request_id);
/// With the errc's status, and `retry-after` where a retry may help. In Anthropic's shape a full queue is their own 529.
http_response error_response(const failure& error, error_shape shape = error_shape::openai, std::string_view request_id = {});

}  // namespace troupe::gateway
