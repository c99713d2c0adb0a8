#include "gateway/error_shape.hpp"

#include "gateway/json_text.hpp"

namespace troupe::gateway {
namespace {

// Seconds. Queues drain within a step or two; loading and draining are polled by the same clients.
constexpr std::string_view retry_after_s = "1";

}  // namespace

std::string error_json(const failure& error) {
  const auto& info = describe(error.code);
  std::string out = "{\"error\":{\"message\":";
  append_json_string(out, error.message.empty() ? info.name : std::string_view(error.message));
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

http_response error_response(const failure& error) {
  const auto& info = describe(error.code);
  http_response response;
  response.status = info.http_status;
  response.body = error_json(error);
  if (info.retryable) response.fields.push_back({"retry-after", std::string(retry_after_s)});
  return response;
}

}  // namespace troupe::gateway
