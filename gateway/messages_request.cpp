#include "gateway/messages_request.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/cache_hints.hpp"
#include "gateway/openai_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

void refuse_parameter(const json_reader& reader, std::string_view key, std::string_view why) {
  const auto path = reader.path_of(key);
  reader.failed().report(errc::unsupported_parameter, "'" + path + "' " + std::string(why), path);
}

/// The form in which templates read tools; whatever runs on a server of its own is not here. Answers the tool's cache breakpoint.
std::uint32_t read_tool(const json::value& value, const std::string& path, turn_prompt& prompt, first_failure& failed) {
  if (!value.is_object()) {
    refuse_type(failed, path, "an object");
    return 0;
  }
  const json_reader tool(value.get_object(), path, failed);
  std::string type = "custom";
  tool.read("type", type);
  if (type != "custom") return read_cache_breakpoint(tool);
  chat_tool result;
  if (!tool.read("name", result.name)) tool.refuse("name", "is missing");
  json::object function{{"name", result.name}};
  if (std::string description; tool.read("description", description)) function["description"] = description;
  if (const auto* schema = tool.object("input_schema"))
    function["parameters"] = *schema;
  else
    tool.refuse("input_schema", "is missing");
  result.json = json::serialize(json::object{{"type", "function"}, {"function", std::move(function)}});
  prompt.tools.push_back(std::move(result));
  return read_cache_breakpoint(tool);
}

/// Whether the tools are offered at all.
bool read_tool_choice(const json_reader& body) {
  const auto* choice = body.object("tool_choice");
  if (choice == nullptr) return true;
  const json_reader reader(*choice, "tool_choice", body.failed());
  std::string type;
  if (!reader.read("type", type))
    reader.refuse("type", "is missing");
  else if (type == "any" || type == "tool")
    refuse_parameter(reader, "type", "can be 'auto' or 'none': forcing a call is not offered");
  else if (type != "auto" && type != "none")
    reader.refuse("type", "must be 'auto' or 'none'");
  return type != "none";
}

/// Answers the last cache breakpoint among the tools.
std::uint32_t read_tools(const json_reader& body, turn_request& turn) {
  const bool offered = read_tool_choice(body);
  std::uint32_t ttl_ms = 0;
  const auto* tools = body.array("tools");
  if (tools == nullptr) return ttl_ms;
  if (tools->size() > limits::tools_max) {
    body.refuse("tools", "must have at most " + std::to_string(limits::tools_max) + " entries");
    return ttl_ms;
  }
  for (std::size_t i = 0; i < tools->size(); ++i)
    ttl_ms = std::max(ttl_ms, read_tool((*tools)[i], index_path("tools", i), turn.prompt, body.failed()));
  // Without calls the tools stay in the prompt: it would differ from its begin on otherwise.
  turn.parse_tools = offered && !turn.prompt.tools.empty();
  return ttl_ms;
}

/// `thinking` is a variable of templates that know the choice; what `chat_template_kwargs` says of it goes first.
void read_thinking(const json_reader& body, turn_prompt& prompt) {
  json::object arguments;
  if (const auto* given = body.object("chat_template_kwargs")) arguments = *given;
  if (const auto* thinking = body.object("thinking")) {
    const json_reader reader(*thinking, "thinking", body.failed());
    std::string type;
    if (!reader.read("type", type)) reader.refuse("type", "is missing");
    if (!arguments.contains("enable_thinking")) arguments["enable_thinking"] = type != "disabled";
  }
  if (!arguments.empty()) prompt.template_arguments = json::serialize(arguments);
}

void refuse_format(const json_reader& body) {
  const auto refuse_schema = [](const json_reader& reader, std::string_view key) {
    const auto* format = reader.object(key);
    if (format != nullptr && !format->empty()) refuse_parameter(reader, key, "is not offered");
  };
  refuse_schema(body, "output_format");
  if (const auto* config = body.object("output_config")) refuse_schema(json_reader(*config, "output_config", body.failed()), "format");
}

void read_prompt(const json_reader& body, const reasoning_opener& open, client_turn& result) {
  body.read("model", result.wish.model);
  refuse_format(body);
  read_thinking(body, result.turn.prompt);
  const auto tools_ttl_ms = read_tools(body, result.turn);
  read_turns(body, tools_ttl_ms, open, result.turn);
}

}  // namespace

expected<client_turn> read_messages_request(const json::object& object, const reasoning_opener& open) {
  first_failure failed;
  const json_reader body(object, "", failed);
  client_turn result;
  read_prompt(body, open, result);
  body.read("stream", result.wish.stream);
  if (body.find("max_tokens") == nullptr) body.refuse("max_tokens", "is missing");
  read_sampling(body, result.turn);
  // Clients must name a bound also when they want none: the AI SDK asks for 128,000 tokens of every model that it does not know.
  result.turn.clip_tokens_max = true;
  read_stop_strings(body, "stop_sequences", result.turn);
  if (failed.any()) return failed.get();
  return result;
}

expected<client_turn> read_count_request(const json::object& object, const reasoning_opener& open) {
  first_failure failed;
  const json_reader body(object, "", failed);
  client_turn result;
  read_prompt(body, open, result);
  if (failed.any()) return failed.get();
  return result;
}

}  // namespace troupe::gateway
