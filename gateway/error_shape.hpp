// Failures in OpenAI's shape: {"error": {"message", "type", "param", "code"}}, always with all four keys.
#pragma once

#include <string>

#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// The JSON object alone. `code` is the errc's name; an absent param is null.
std::string error_json(const failure& error);
/// With the errc's status, and `retry-after` where a retry may help.
http_response error_response(const failure& error);

}  // namespace troupe::gateway
