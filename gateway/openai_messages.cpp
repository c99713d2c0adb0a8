// The conversation of a chat request as typed blocks. Histories come from many clients: what they may contain is taken as it is,
// what cannot be shown to a template is refused with its path.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/cache_hints.hpp"
#include "gateway/openai_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

void read_part(const json::value& part, const std::string& path, chat_block::kind what, chat_message& message, first_failure& failed) {
  if (!part.is_object()) return refuse_type(failed, path, "an object");
  const json_reader reader(part.get_object(), path, failed);
  std::string type;
  if (!reader.read("type", type)) return reader.refuse("type", "is missing");
  if (type != "text" && type != "input_text" && type != "output_text") {
    const auto where = reader.path_of("type");
    return failed.report(errc::unsupported_content, "'" + where + "' is '" + type + "', which no served model takes", where);
  }
  std::string text;
  if (!reader.read("text", text)) return reader.refuse("text", "is missing");
  message.blocks.push_back({what, std::move(text), {}, {}, read_cache_breakpoint(reader)});
}

/// A string, or an array of text parts, each of which becomes a block.
void read_content(const json_reader& reader, chat_block::kind what, chat_message& message) {
  const auto* content = reader.find("content");
  if (content == nullptr) return;
  const auto path = reader.path_of("content");
  if (content->is_string()) {
    const auto& text = content->get_string();
    message.blocks.push_back({what, std::string(text.data(), text.size()), {}, {}});
    return;
  }
  if (!content->is_array()) return refuse_type(reader.failed(), path, "a string or an array of parts");
  const auto& parts = content->get_array();
  for (std::size_t i = 0; i < parts.size(); ++i) read_part(parts[i], index_path(path, i), what, message, reader.failed());
}

void refuse_type_of_tool(errc code, const json_reader& tool, const std::string& type) {
  const auto where = tool.path_of("type");
  tool.failed().report(code, "'" + where + "' is '" + type + "', only functions are offered", where);
}

void read_tool_call(const json::value& value, const std::string& path, chat_message& message, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader call(value.get_object(), path, failed);
  std::string type = "function";
  call.read("type", type);
  if (type != "function") return refuse_type_of_tool(errc::unsupported_content, call, type);
  const auto* function = call.object("function");
  if (function == nullptr) return call.refuse("function", "is missing");
  const json_reader reader(*function, call.path_of("function"), failed);
  chat_block block{chat_block::kind::tool_call, "{}", {}, {}};
  call.read("id", block.id);
  if (!reader.read("name", block.name)) return reader.refuse("name", "is missing");
  // Text by the specification; some clients send the object itself. Text that is no JSON stays: history is never refused for it.
  const auto* arguments = reader.find("arguments");
  if (arguments != nullptr && arguments->is_object())
    block.text = json::serialize(*arguments);
  else
    reader.read("arguments", block.text);
  message.blocks.push_back(std::move(block));
}

void read_assistant(const json_reader& reader, chat_message& message) {
  std::string reasoning;
  if (!reader.read("reasoning_content", reasoning)) reader.read("reasoning", reasoning);
  if (!reasoning.empty()) message.blocks.push_back({chat_block::kind::reasoning, std::move(reasoning), {}, {}});
  read_content(reader, chat_block::kind::text, message);
  const auto* calls = reader.array("tool_calls");
  if (calls == nullptr) return;
  // "" beside calls means the same as null: no text.
  if (!calls->empty() && !message.blocks.empty() && message.blocks.back().text.empty()) message.blocks.pop_back();
  for (std::size_t i = 0; i < calls->size(); ++i)
    read_tool_call((*calls)[i], index_path(reader.path_of("tool_calls"), i), message, reader.failed());
}

/// All parts of a result are one block: it answers one call.
void read_tool_result(const json_reader& reader, chat_message& message) {
  read_content(reader, chat_block::kind::tool_result, message);
  chat_block result{chat_block::kind::tool_result, {}, {}, {}};
  for (const auto& block : message.blocks) result.text += block.text;
  if (!reader.read("tool_call_id", result.id)) reader.refuse("tool_call_id", "is missing");
  reader.read("name", result.name);
  message.blocks.assign(1, std::move(result));
}

bool read_role(const json_reader& reader, chat_role& role) {
  std::string name;
  if (!reader.read("role", name)) {
    reader.refuse("role", "is missing");
    return false;
  }
  if (name == "system" || name == "developer")
    role = chat_role::system;
  else if (name == "user")
    role = chat_role::user;
  else if (name == "assistant")
    role = chat_role::assistant;
  else if (name == "tool")
    role = chat_role::tool;
  else {
    reader.refuse("role", "must be one of system, developer, user, assistant, tool");
    return false;
  }
  return true;
}

void read_message(const json::value& value, const std::string& path, turn_request& turn, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader reader(value.get_object(), path, failed);
  chat_message message;
  if (!read_role(reader, message.role)) return;
  if (message.role == chat_role::assistant)
    read_assistant(reader, message);
  else if (message.role == chat_role::tool)
    read_tool_result(reader, message);
  else
    read_content(reader, chat_block::kind::text, message);
  if (message.role != chat_role::assistant && message.blocks.empty()) reader.refuse("content", "is missing");
  turn.prompt.messages.push_back(std::move(message));
}

void read_tool(const json::value& value, const std::string& path, turn_request& turn, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader tool(value.get_object(), path, failed);
  std::string type;
  if (!tool.read("type", type)) return tool.refuse("type", "is missing");
  if (type != "function") return refuse_type_of_tool(errc::unsupported_parameter, tool, type);
  const auto* function = tool.object("function");
  if (function == nullptr) return tool.refuse("function", "is missing");
  chat_tool result;
  const json_reader reader(*function, tool.path_of("function"), failed);
  if (!reader.read("name", result.name)) return reader.refuse("name", "is missing");
  result.json = json::serialize(value);
  turn.prompt.tools.push_back(std::move(result));
}

enum class tool_choice { automatic, none };

tool_choice read_tool_choice(const json_reader& body) {
  const auto* choice = body.find("tool_choice");
  if (choice == nullptr) return tool_choice::automatic;
  const auto* text = choice->if_string();
  if (text != nullptr && *text == "auto") return tool_choice::automatic;
  if (text != nullptr && *text == "none") return tool_choice::none;
  if (choice->is_object() || (text != nullptr && *text == "required"))
    body.failed().report(errc::unsupported_parameter, "'tool_choice' can be 'auto' or 'none': forcing a call is not offered",
                         "tool_choice");
  else
    body.refuse("tool_choice", "must be 'auto' or 'none'");
  return tool_choice::automatic;
}

}  // namespace

void read_conversation(const json_reader& body, turn_request& turn) {
  turn.prompt.what = turn_prompt::kind::chat;
  const auto* messages = body.array("messages");
  if (messages == nullptr) return body.refuse("messages", "is missing");
  if (messages->empty() || messages->size() > limits::messages_max)
    return body.refuse("messages", "must have between 1 and " + std::to_string(limits::messages_max) + " entries");
  turn.prompt.messages.reserve(messages->size());
  for (std::size_t i = 0; i < messages->size(); ++i) read_message((*messages)[i], index_path("messages", i), turn, body.failed());

  const auto choice = read_tool_choice(body);
  const auto* tools = body.array("tools");
  if (tools == nullptr) return;
  if (tools->size() > limits::tools_max) return body.refuse("tools", "must have at most " + std::to_string(limits::tools_max) + " entries");
  for (std::size_t i = 0; i < tools->size(); ++i) read_tool((*tools)[i], index_path("tools", i), turn, body.failed());
  // Without calls the tools stay in the prompt: it would differ from its begin on otherwise.
  turn.parse_tools = choice != tool_choice::none && !turn.prompt.tools.empty();
}

}  // namespace troupe::gateway
