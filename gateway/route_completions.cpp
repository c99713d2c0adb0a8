// POST /v1/chat/completions and POST /v1/completions.
#include "gateway/openai_request.hpp"
#include "gateway/openai_stream.hpp"
#include "gateway/turn_route.hpp"

namespace troupe::gateway {

route_result chat_completions(const http_request& request, const path_arguments&, const route_context& context) {
  return make_turn_job(request, context, read_chat_request, "chatcmpl-", make_chat_writer);
}

route_result completions(const http_request& request, const path_arguments&, const route_context& context) {
  return make_turn_job(request, context, read_completion_request, "cmpl-", make_completion_writer);
}

}  // namespace troupe::gateway
