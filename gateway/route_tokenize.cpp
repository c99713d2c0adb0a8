// POST /tokenize and /detokenize, as vLLM and llama-server have them.
#include "gateway/json_text.hpp"
#include "gateway/openai_request.hpp"
#include "gateway/routes.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

struct tokenize_wish {
  std::string text;
  bool add_special_tokens = true;
};

void read_text(const json_reader& body, tokenize_wish& wish) {
  body.read("add_special_tokens", wish.add_special_tokens);
  if (!body.read("prompt", wish.text) && !body.read("text", wish.text) && !body.failed().any()) body.refuse("prompt", "is missing");
}

http_response tokens_response(const std::vector<token_id>& tokens, std::uint32_t context_length) {
  http_response response;
  auto& out = response.body;
  out.append("{\"tokens\":[");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i != 0) out.push_back(',');
    append_json_integer(out, tokens[i]);
  }
  out.append("],\"count\":");
  append_json_integer(out, static_cast<std::int64_t>(tokens.size()));
  out.append(",\"max_model_len\":");
  append_json_integer(out, context_length);
  out.append("}");
  return response;
}

failure lacks_tokenizer(const gateway_model& model) {
  return {errc::unsupported_parameter, "the model '" + model.name.value + "' has no tokenizer here", "model"};
}

expected<const gateway_model*> read_model(const json_reader& body, const route_context& context) {
  std::string name;
  body.read("model", name);
  return model_of(context, name);
}

}  // namespace

route_result tokenize(const http_request& request, const path_arguments&, const route_context& context) {
  const auto object = parse_object(request.body);
  if (!object) return object.error();
  first_failure failed;
  const json_reader body(*object, "", failed);
  const auto model = read_model(body, context);
  tokenize_wish wish;
  read_text(body, wish);
  if (failed.any()) return failed.get();
  if (!model) return model.error();
  if (wish.text.size() > limits::tokenize_bytes_max)
    return failure{errc::body_too_large, "the text must be at most " + std::to_string(limits::tokenize_bytes_max) + " bytes long",
                   "prompt"};
  if (!(*model)->tokenize) return lacks_tokenizer(**model);
  return tokens_response((*model)->tokenize(wish.text, wish.add_special_tokens), (*model)->context_length);
}

route_result detokenize(const http_request& request, const path_arguments&, const route_context& context) {
  const auto object = parse_object(request.body);
  if (!object) return object.error();
  first_failure failed;
  const json_reader body(*object, "", failed);
  const auto model = read_model(body, context);
  turn_request turn;
  const auto* tokens = body.array("tokens");
  if (tokens && tokens->size() > limits::detokenize_tokens_max)
    return failure{errc::body_too_large, "there must be at most " + std::to_string(limits::detokenize_tokens_max) + " tokens", "tokens"};
  if (tokens)
    read_token_ids(*tokens, "tokens", turn.prompt.tokens, failed);
  else
    body.refuse("tokens", "is missing");
  if (failed.any()) return failed.get();
  if (!model) return model.error();
  if (!(*model)->detokenize) return lacks_tokenizer(**model);
  http_response response;
  response.body = "{\"prompt\":";
  append_json_string(response.body, (*model)->detokenize(turn.prompt.tokens));
  response.body.append("}");
  return response;
}

}  // namespace troupe::gateway
