// POST /v1/messages and POST /v1/messages/count_tokens, Anthropic's protocol.
#include "gateway/messages_request.hpp"
#include "gateway/messages_stream.hpp"
#include "gateway/token_count.hpp"
#include "gateway/turn_route.hpp"

namespace troupe::gateway {

route_result create_message(const http_request& request, const path_arguments&, const route_context& context) {
  const auto read = [&context](const boost::json::object& body) { return read_messages_request(body, opener_of(context)); };
  const auto make_writer = [&context](answer_shape shape) { return make_messages_writer(std::move(shape), sealer_of(context)); };
  return make_turn_job(request, context, read, "msg_", make_writer);
}

route_result count_message_tokens(const http_request& request, const path_arguments&, const route_context& context) {
  if (const auto refused = check_countable(request)) return *refused;
  const auto body = parse_object(request.body);
  if (!body) return body.error();
  const auto translated = read_count_request(*body, opener_of(context));
  if (!translated) return translated.error();
  return make_count_job(context, *translated, "{");
}

}  // namespace troupe::gateway
