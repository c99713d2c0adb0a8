#include "gateway/token_count.hpp"

#include "gateway/json_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {

std::optional<failure> check_countable(const http_request& request) {
  if (request.body.size() <= limits::tokenize_bytes_max) return std::nullopt;
  return failure{errc::body_too_large, "the body must be at most " + std::to_string(limits::tokenize_bytes_max) + " bytes long", {}};
}

route_result make_count_job(const route_context& context, const client_turn& translated, std::string open) {
  const auto model = model_of(context, translated.wish.model);
  if (!model) return model.error();
  const auto& served = **model;
  if (!served.tokenize || !served.template_input)
    return failure{errc::unsupported_parameter, "the model '" + served.name.value + "' has no tokenizer here", "model"};
  auto input = served.template_input(translated.turn);
  if (!input) return input.error();
  const auto count = [tokenize = served.tokenize, open = std::move(open)](const control_answer& answer) {
    http_response response;
    response.body = open + "\"input_tokens\":";
    const auto tokens = tokenize(std::get<render_result>(answer).text, false);  // a template spells its special tokens itself
    append_json_integer(response.body, static_cast<std::int64_t>(tokens.size()));
    response.body.append("}");
    return response;
  };
  return control_job{render_request{{context.draw()}, served.name, *std::move(input)}, count};
}

}  // namespace troupe::gateway
