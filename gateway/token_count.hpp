// What a prompt would count, without a turn: rendered by the node's renderer, then tokenised here as sessions do. A session may have
// spelled its own answers in more tokens (answer_splice).
#pragma once

#include <string>

#include "gateway/client_turn.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

/// body_too_large when tokenising it would hold up an I/O thread.
std::optional<failure> check_countable(const http_request& request);

/// The answer is a JSON object: `open`, then `"input_tokens":N}`.
route_result make_count_job(const route_context& context, const client_turn& translated, std::string open);

}  // namespace troupe::gateway
