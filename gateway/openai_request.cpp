#include "gateway/openai_request.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

void read_chat_logprobs(const json_reader& body, client_turn& result) {
  body.read("logprobs", result.wish.logprobs);
  std::int32_t top = 0;
  const bool counted = body.read("top_logprobs", top, {.min = 0, .max = limits::top_logprobs_max});
  if (counted && top > 0 && !result.wish.logprobs) body.refuse("top_logprobs", "needs 'logprobs' to be true");
  if (result.wish.logprobs) result.turn.sampling.logprobs = top;
}

void read_prompt_entry(const json::value& value, const std::string& path, turn_prompt& prompt, first_failure& failed) {
  if (value.is_string()) {
    prompt.what = turn_prompt::kind::text;
    prompt.text.assign(value.get_string().data(), value.get_string().size());
  } else if (value.is_array() && !value.get_array().empty()) {
    prompt.what = turn_prompt::kind::tokens;
    read_token_ids(value.get_array(), path, prompt.tokens, failed);
  } else {
    refuse_type(failed, path, "a string or an array of token ids");
  }
}

/// A string, token ids, or an array with one of these.
void read_prompt(const json_reader& body, turn_prompt& prompt) {
  const auto* value = body.find("prompt");
  if (value == nullptr) return body.refuse("prompt", "is missing");
  const auto* list = value->if_array();
  const bool nested = list != nullptr && !list->empty() && !list->front().is_number();
  if (!nested) return read_prompt_entry(*value, "prompt", prompt, body.failed());
  if (list->size() > 1)
    return body.failed().report(errc::unsupported_parameter, "'prompt' can hold one prompt; send one request for each", "prompt");
  read_prompt_entry(list->front(), "prompt[0]", prompt, body.failed());
}

}  // namespace

expected<client_turn> read_chat_request(const json::object& object) {
  first_failure failed;
  const json_reader body(object, "", failed);
  client_turn result;
  read_answer_wish(body, result.wish);
  refuse_unoffered(body);
  read_conversation(body, result.turn);
  read_sampling(body, result.turn);
  read_chat_logprobs(body, result);
  body.read("continue_final_message", result.turn.prompt.continue_final_message);
  if (const auto* arguments = body.object("chat_template_kwargs")) result.turn.prompt.template_arguments = json::serialize(*arguments);
  if (failed.any()) return failed.get();
  const auto& messages = result.turn.prompt.messages;
  if (result.turn.prompt.continue_final_message && messages.back().role != chat_role::assistant)
    return failure{errc::invalid_request, "'continue_final_message' needs the last message to be the assistant's",
                   "continue_final_message"};
  return result;
}

expected<client_turn> read_completion_request(const json::object& object) {
  first_failure failed;
  const json_reader body(object, "", failed);
  client_turn result;
  read_answer_wish(body, result.wish);
  refuse_unoffered(body);
  read_prompt(body, result.turn.prompt);
  read_sampling(body, result.turn);
  std::int32_t logprobs = 0;
  if (body.read("logprobs", logprobs, {.min = 0, .max = limits::top_logprobs_max})) {
    result.wish.logprobs = true;
    result.turn.sampling.logprobs = logprobs;
  }
  if (failed.any()) return failed.get();
  return result;
}

expected<std::uint32_t> check_token_ids(const turn_request& turn, std::uint32_t vocabulary_size) {
  if (vocabulary_size == 0) return vocabulary_size;
  const auto first_beyond = [vocabulary_size](const std::vector<token_id>& tokens) {
    std::size_t index = 0;
    while (index < tokens.size() && static_cast<std::uint32_t>(tokens[index]) < vocabulary_size) ++index;
    return index;
  };
  const auto refuse = [vocabulary_size](std::string_view list, std::size_t index) {
    const auto path = index_path(list, index);
    return failure{errc::invalid_request,
                   "'" + path + "' must be below " + std::to_string(vocabulary_size) + ", the size of the vocabulary", path};
  };
  if (const auto index = first_beyond(turn.prompt.tokens); index < turn.prompt.tokens.size()) return refuse("prompt", index);
  if (const auto index = first_beyond(turn.stop_tokens); index < turn.stop_tokens.size()) return refuse("stop_token_ids", index);
  return vocabulary_size;
}

}  // namespace troupe::gateway
