#include "gateway/responses_request.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/openai_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

void refuse_parameter(const json_reader& reader, std::string_view key, std::string_view why) {
  const auto path = reader.path_of(key);
  reader.failed().report(errc::unsupported_parameter, "'" + path + "' " + std::string(why), path);
}

void refuse_unoffered_fields(const json_reader& body) {
  bool background = false;
  if (body.read("background", background) && background)
    refuse_parameter(body, "background", "is not offered: the answer comes with the request");
  if (body.find("conversation") != nullptr) refuse_parameter(body, "conversation", "is not offered: use 'previous_response_id'");
  if (body.find("prompt") != nullptr) refuse_parameter(body, "prompt", "is not offered: there are no stored prompts");
  const auto* text = body.object("text");
  if (text == nullptr) return;
  const json_reader reader(*text, "text", body.failed());
  const auto* format = reader.object("format");
  if (format == nullptr) return;
  std::string type = "text";
  const json_reader inner(*format, "text.format", body.failed());
  if (inner.read("type", type) && type != "text") refuse_parameter(inner, "type", "can only be 'text'");
}

/// Whether calls are recognised at all.
bool read_tool_choice(const json_reader& body) {
  const auto* choice = body.find("tool_choice");
  if (choice == nullptr) return true;
  const auto* text = choice->if_string();
  if (text != nullptr && (*text == "auto" || *text == "none")) return *text == "auto";
  if (choice->is_object() || (text != nullptr && *text == "required"))
    refuse_parameter(body, "tool_choice", "can be 'auto' or 'none': forcing a call is not offered");
  else
    body.refuse("tool_choice", "must be 'auto' or 'none'");
  return true;
}

/// Tools that items bring along.
void read_additional_tools(const json::array& items, std::string_view list, offered_tools& into, first_failure& failed) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto* item = items[i].if_object();
    const auto* type = item == nullptr ? nullptr : item->if_contains("type");
    if (type == nullptr || !type->is_string() || type->get_string() != "additional_tools") continue;
    const auto path = index_path(list, i);
    if (const auto* tools = json_reader(*item, path, failed).array("tools")) into.read(*tools, path + ".tools", failed);
  }
}

/// The request's own, then what items have brought before, then what they bring now: a prompt that goes on keeps its begin.
void read_tools(const json_reader& body, const responses_sources& sources, responses_turn& result) {
  const bool offered = read_tool_choice(body);
  auto& known = result.wish.tools;
  if (const auto* tools = body.array("tools")) known.read(*tools, "tools", body.failed());
  offered_tools earlier;
  read_additional_tools(sources.history, "history", earlier, body.failed());
  known.append_missing(std::move(earlier));
  read_additional_tools(result.wish.input, "input", known, body.failed());
  auto& turn = result.client.turn;
  result.wish.tools.offer(turn.prompt);
  // Without calls the tools stay in the prompt: it would differ from its begin on otherwise.
  turn.parse_tools = offered && !turn.prompt.tools.empty();
}

/// The effort is a variable of templates that know it; what `chat_template_kwargs` says goes first.
void read_reasoning(const json_reader& body, responses_turn& result) {
  auto& prompt = result.client.turn.prompt;
  json::object arguments;
  if (const auto* given = body.object("chat_template_kwargs")) arguments = *given;
  if (const auto* reasoning = body.object("reasoning")) {
    std::string effort, summary;
    const json_reader reader(*reasoning, "reasoning", body.failed());
    const bool said = reader.read("effort", effort);
    if (reader.read("summary", summary)) result.wish.summarised = summary == "auto" || summary == "concise" || summary == "detailed";
    if (said && effort == "none" && !arguments.contains("enable_thinking")) arguments["enable_thinking"] = false;
    if (said && effort != "none" && !arguments.contains("reasoning_effort")) arguments["reasoning_effort"] = effort;
  }
  if (!arguments.empty()) prompt.template_arguments = json::serialize(arguments);
}

/// What a reference refers to, if that is known: it is stored as if it had been sent.
json::value referred_item(const json::value& item, const responses_sources& sources) {
  const auto* object = item.if_object();
  const auto* type = object == nullptr ? nullptr : object->if_contains("type");
  const auto* id = object == nullptr ? nullptr : object->if_contains("id");
  if (type == nullptr || *type != "item_reference" || id == nullptr || !id->is_string() || !sources.find_item) return item;
  auto found = sources.find_item(id->get_string());
  return found ? std::move(*found) : item;
}

/// One item as it is stored: what the protocol lets a client leave out is written.
json::value full_item(const json::value& value) {
  if (!value.is_object()) return value;
  json::object item = value.get_object();
  if (!item.contains("type")) item["type"] = "message";
  const auto* content = item.if_contains("content");
  // Not item["type"]: it makes room for a member more, and `content` would point at what was there before.
  if (item.at("type") != "message" || content == nullptr || !content->is_string()) return item;
  const auto* role = item.if_contains("role");
  const bool by_model = role != nullptr && *role == "assistant";
  json::object part{{"type", by_model ? "output_text" : "input_text"}, {"text", *content}};
  if (by_model) part["annotations"] = json::array{};
  item["content"] = json::array{std::move(part)};
  return item;
}

json::array read_input(const json_reader& body, const responses_sources& sources) {
  const auto* input = body.find("input");
  json::array items;
  if (input == nullptr) return items;
  if (input->is_string()) {
    items.push_back(full_item(json::object{{"type", "message"}, {"role", "user"}, {"content", *input}}));
  } else if (const auto* list = input->if_array()) {
    items.reserve(list->size());
    for (const auto& each : *list) items.push_back(full_item(referred_item(each, sources)));
  } else {
    refuse_type(body.failed(), "input", "a string or an array of items");
  }
  return items;
}

void read_prompt(const json_reader& body, const responses_sources& sources, responses_turn& result) {
  auto& prompt = result.client.turn.prompt;
  prompt.what = turn_prompt::kind::chat;
  body.read("model", result.client.wish.model);
  refuse_unoffered_fields(body);
  read_reasoning(body, result);
  result.wish.input = read_input(body, sources);
  const auto items_count = sources.history.size() + result.wish.input.size();
  if (items_count > limits::messages_max)
    return body.refuse("input", "must have at most " + std::to_string(limits::messages_max) + " items, with those of earlier responses");
  read_tools(body, sources, result);
  std::string instructions;
  if (body.read("instructions", instructions) && !instructions.empty())
    prompt.messages.push_back({chat_role::system, {{chat_block::kind::text, std::move(instructions), {}, {}}}});
  read_items(sources.history, "history", result.wish.tools, sources, prompt, body.failed());
  read_items(result.wish.input, "input", result.wish.tools, sources, prompt, body.failed());
  if (prompt.messages.empty()) body.refuse("input", body.find("input") == nullptr ? "is missing" : "says nothing that a model can read");
}

void read_includes(const json_reader& body, responses_turn& result) {
  auto& [client, wish] = result;
  std::int32_t top = 0;
  if (body.read("top_logprobs", top, {.min = 0, .max = limits::top_logprobs_max}) && top > 0) client.wish.logprobs = true;
  const auto* include = body.array("include");
  for (std::size_t i = 0; include != nullptr && i < include->size(); ++i) {
    const auto* name = (*include)[i].if_string();
    if (name == nullptr) return refuse_type(body.failed(), index_path("include", i), "a string");
    if (*name == "reasoning.encrypted_content") wish.encrypted_reasoning = true;
    if (*name == "message.output_text.logprobs") client.wish.logprobs = true;
  }
  if (client.wish.logprobs) client.turn.sampling.logprobs = top;
}

}  // namespace

expected<responses_turn> read_responses_request(const json::object& object, const responses_sources& sources) {
  first_failure failed;
  const json_reader body(object, "", failed);
  responses_turn result;
  read_prompt(body, sources, result);
  body.read("stream", result.client.wish.stream);
  body.read("store", result.wish.store);
  result.wish.store = result.wish.store && sources.can_store;
  read_sampling(body, result.client.turn);
  body.read("max_output_tokens", result.client.turn.tokens_max, {.min = 1, .max = INT32_MAX});
  read_includes(body, result);
  check_metadata(body);
  if (failed.any()) return failed.get();
  result.wish.echo = echo_of(object);
  return result;
}

expected<client_turn> read_input_tokens_request(const json::object& object, const responses_sources& sources) {
  first_failure failed;
  const json_reader body(object, "", failed);
  responses_turn result;
  read_prompt(body, sources, result);
  if (failed.any()) return failed.get();
  return std::move(result.client);
}

std::string previous_response_of(const json::object& body) {
  const auto* id = body.if_contains("previous_response_id");
  const auto* text = id == nullptr ? nullptr : id->if_string();
  return text == nullptr ? std::string{} : std::string(text->data(), text->size());
}

}  // namespace troupe::gateway
