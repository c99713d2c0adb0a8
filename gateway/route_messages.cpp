// POST /v1/messages and POST /v1/messages/count_tokens, Anthropic's protocol.
#include "gateway/messages_request.hpp"
#include "gateway/messages_stream.hpp"
#include "gateway/token_count.hpp"
#include "gateway/turn_route.hpp"

namespace troupe::gateway {

route_result create_message(const http_request& request, const path_arguments&, const route_context& context) {
  return make_turn_job(request, context, read_messages_request, "msg_", make_messages_writer);
}

route_result count_message_tokens(const http_request& request, const path_arguments&, const route_context& context) {
  if (const auto refused = check_countable(request)) return *refused;
  const auto body = parse_object(request.body);
  if (!body) return body.error();
  const auto translated = read_count_request(*body);
  if (!translated) return translated.error();
  return make_count_job(context, *translated, "{");
}

}  // namespace troupe::gateway
