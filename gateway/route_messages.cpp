// POST /v1/messages and POST /v1/messages/count_tokens, Anthropic's protocol.
#include "gateway/json_text.hpp"
#include "gateway/messages_request.hpp"
#include "gateway/messages_stream.hpp"
#include "gateway/turn_route.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {

route_result create_message(const http_request& request, const path_arguments&, const route_context& context) {
  return make_turn_job(request, context, read_messages_request, "msg_", make_messages_writer);
}

/// What a turn's `prompt_tokens` would be: rendered by the node's renderer, then tokenised here as sessions do. A session may have spelled its
/// own answers in more tokens (answer_splice).
route_result count_message_tokens(const http_request& request, const path_arguments&, const route_context& context) {
  if (request.body.size() > limits::tokenize_bytes_max)
    return failure{errc::body_too_large, "the body must be at most " + std::to_string(limits::tokenize_bytes_max) + " bytes long", {}};
  const auto body = parse_object(request.body);
  if (!body) return body.error();
  const auto translated = read_count_request(*body);
  if (!translated) return translated.error();
  const auto model = model_of(context, translated->wish.model);
  if (!model) return model.error();
  const auto& served = **model;
  if (!served.tokenize || !served.template_input)
    return failure{errc::unsupported_parameter, "the model '" + served.name.value + "' has no tokenizer here", "model"};
  auto input = served.template_input(translated->turn);
  if (!input) return input.error();
  const auto count = [tokenize = served.tokenize](const control_answer& answer) {
    http_response response;
    response.body = "{\"input_tokens\":";
    const auto tokens = tokenize(std::get<render_result>(answer).text, false);  // a template spells its special tokens itself
    append_json_integer(response.body, static_cast<std::int64_t>(tokens.size()));
    response.body.append("}");
    return response;
  };
  return control_job{render_request{{context.draw()}, served.name, *std::move(input)}, count};
}

}  // namespace troupe::gateway
