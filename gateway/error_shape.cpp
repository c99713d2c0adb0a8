#include "gateway/error_shape.hpp"

#include "gateway/json_text.hpp"

namespace troupe::gateway {
namespace {

// Seconds. Queues drain within a step or two; loading and draining are polled by the same clients.
constexpr std::string_view retry_after_s = "1";
// Anthropic's clients have a class of its own for it.
constexpr int overloaded_status = 529;

void append_message(std::string& out, const failure& error) {
  append_json_string(out, error.message.empty() ? describe(error.code).name : std::string_view(error.message));
}

int status_of(errc code, error_shape shape) {
  return shape == error_shape::anthropic && code == errc::queue_full ? overloaded_status : describe(code).http_status;
}

}  // namespace

error_shape error_shape_of(const http_request& request) {
  const bool below = request.path == "/v1/messages" || request.path.starts_with("/v1/messages/");
  return below || !request.field("anthropic-version").empty() ? error_shape::anthropic : error_shape::openai;
}

std::string error_json(const failure& error) {
  const auto& info = describe(error.code);
  std::string out = "{\"error\":{\"message\":";
  append_message(out, error);
  out.append(",\"type\":");
  append_json_string(out, info.openai_type);
  out.append(",\"param\":");
  if (error.param.empty())
    out.append("null");
  else
    append_json_string(out, error.param);
  out.append(",\"code\":");
  append_json_string(out, info.name);
  out.append("}}");
  return out;
}

std::string anthropic_error_json(const failure& error, std::string_view request_id) {
  std::string out = "{\"type\":\"error\",\"error\":{\"type\":";
  append_json_string(out, describe(error.code).anthropic_type);
  out.append(",\"message\":");
  append_message(out, error);
  out.append("},\"request_id\":");
  append_json_string(out, request_id);
  out.append("}");
  return out;
}

http_response error_response(const failure& error, error_shape shape, std::string_view request_id) {
  http_response response;
  response.status = status_of(error.code, shape);
  response.body = shape == error_shape::anthropic ? anthropic_error_json(error, request_id) : error_json(error);
  if (error.code == errc::unauthenticated) response.fields.push_back({"www-authenticate", "Bearer"});
  if (describe(error.code).retryable) response.fields.push_back({"retry-after", std::string(retry_after_s)});
  return response;
}

}  // namespace troupe::gateway
