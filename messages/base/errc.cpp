#include "messages/base/errc.hpp"

#include <array>

namespace troupe {
namespace {

constexpr std::array<errc_info, errc_count> table{{
    {"none", 200, "", "", false},
    {"invalid_request", 400, "invalid_request_error", "invalid_request_error", false},
    {"unsupported_parameter", 400, "invalid_request_error", "invalid_request_error", false},
    {"unsupported_content", 400, "invalid_request_error", "invalid_request_error", false},
    {"template_failed", 400, "invalid_request_error", "invalid_request_error", false},
    {"context_length_exceeded", 400, "invalid_request_error", "invalid_request_error", false},
    {"prompt_exceeds_capacity", 400, "invalid_request_error", "invalid_request_error", false},
    {"model_not_found", 404, "invalid_request_error", "not_found_error", false},
    {"not_found", 404, "invalid_request_error", "not_found_error", false},
    {"previous_response_not_found", 400, "invalid_request_error", "invalid_request_error", false},
    {"method_not_allowed", 405, "invalid_request_error", "invalid_request_error", false},
    {"body_too_large", 413, "invalid_request_error", "request_too_large", false},
    {"headers_too_large", 431, "invalid_request_error", "request_too_large", false},
    {"unsupported_encoding", 415, "invalid_request_error", "invalid_request_error", false},
    {"idempotency_mismatch", 422, "idempotency_error", "invalid_request_error", false},
    {"answer_not_kept", 410, "idempotency_error", "not_found_error", false},
    {"quota_reached", 429, "rate_limit_error", "rate_limit_error", true},
    {"queue_full", 429, "rate_limit_error", "overloaded_error", true},
    {"not_ready", 503, "server_error", "overloaded_error", true},
    {"draining", 503, "server_error", "overloaded_error", true},
    {"deadline_exceeded", 504, "server_error", "timeout_error", false},
    {"worker_lost", 503, "server_error", "api_error", true},
    {"cancelled", 499, "server_error", "api_error", false},
    {"session_dead", 409, "invalid_request_error", "invalid_request_error", false},
    {"forbidden_origin", 403, "invalid_request_error", "permission_error", false},
    {"unauthenticated", 401, "authentication_error", "authentication_error", false},
    {"permission_denied", 403, "permission_error", "permission_error", false},
    {"corrupt_data", 500, "server_error", "api_error", false},
    {"io_failed", 500, "server_error", "api_error", false},
    {"internal", 500, "server_error", "api_error", false},
}};

}  // namespace

const errc_info& describe(errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return table[index < table.size() ? index : table.size() - 1];
}

}  // namespace troupe
