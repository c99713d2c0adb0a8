// The conversation of a Messages request as typed blocks. A user message holds the results of tools beside what the user says: each
// result becomes a message of its own, as in the other protocols, so that a conversation renders alike whoever brings it.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <iterator>

#include "gateway/cache_hints.hpp"
#include "gateway/messages_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

void append_line(std::string& out, const json::string& text) {
  if (text.empty()) return;
  if (!out.empty()) out.push_back('\n');
  out.append(text.data(), text.size());
}

bool is_picture(std::string_view type) { return type == "image" || type == "document"; }

void refuse_picture(const json_reader& block, std::string_view type) {
  const auto where = block.path_of("type");
  block.failed().report(errc::unsupported_content, "'" + where + "' is '" + std::string(type) + "', which no served model takes", where);
}

/// What content of any kind says in words: its text blocks, also those inside other blocks, a line each.
void gather_words(const json::value& value, const std::string& path, std::string& out, first_failure& failed) {
  if (const auto* text = value.if_string()) return append_line(out, *text);
  if (const auto* list = value.if_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) gather_words((*list)[i], index_path(path, i), out, failed);
    return;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  const json_reader block(*object, path, failed);
  const auto* type = block.find("type");
  if (type != nullptr && type->is_string() && is_picture(type->get_string())) return refuse_picture(block, type->get_string());
  const auto* text = block.find("text");
  if (text != nullptr && text->is_string()) return append_line(out, text->get_string());
  if (const auto* content = block.find("content")) gather_words(*content, block.path_of("content"), out, failed);
}

chat_block read_text(const json_reader& block) {
  chat_block result{chat_block::kind::text, {}, {}, {}, read_cache_breakpoint(block)};
  if (!block.read("text", result.text)) block.refuse("text", "is missing");
  return result;
}

chat_block read_tool_use(const json_reader& block) {
  chat_block result{chat_block::kind::tool_call, "{}", {}, {}, read_cache_breakpoint(block)};
  block.read("id", result.id);
  if (!block.read("name", result.name)) block.refuse("name", "is missing");
  const auto* input = block.find("input");
  if (input != nullptr && input->is_object()) result.text = json::serialize(*input);
  return result;
}

chat_block read_tool_result(const json_reader& block) {
  chat_block result{chat_block::kind::tool_result, {}, {}, {}, read_cache_breakpoint(block)};
  if (!block.read("tool_use_id", result.id)) block.refuse("tool_use_id", "is missing");
  if (const auto* content = block.find("content")) gather_words(*content, block.path_of("content"), result.text, block.failed());
  bool is_error = false;
  block.read("is_error", is_error);
  // Templates have no place for the flag; most tools say it in their text.
  if (is_error && !result.text.starts_with("Error")) result.text.insert(0, result.text.empty() ? "Error" : "Error: ");
  return result;
}

/// What was signed here; of any other what the block itself says.
chat_block read_thinking(const json_reader& block, const reasoning_opener& open) {
  chat_block result{chat_block::kind::reasoning, {}, {}, {}, read_cache_breakpoint(block)};
  const auto* signature = block.find("signature");
  std::optional<std::string> own;
  if (signature != nullptr && signature->is_string() && open) own = open(signature->get_string());
  if (own)
    result.text = std::move(*own);
  else
    block.read("thinking", result.text);
  return result;
}

/// The messages that one message of the client amounts to.
struct message_parts {
  chat_role role;
  const reasoning_opener& open;
  std::vector<chat_message> messages{};

  void add(chat_block block) {
    const auto its_role = block.what == chat_block::kind::tool_result ? chat_role::tool : role;
    if (messages.empty() || messages.back().role != its_role || its_role == chat_role::tool) messages.push_back({its_role, {}});
    messages.back().blocks.push_back(std::move(block));
  }
};

void read_block(const json::value& value, const std::string& path, message_parts& parts, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader block(value.get_object(), path, failed);
  std::string type;
  if (!block.read("type", type)) return block.refuse("type", "is missing");
  const bool by_assistant = parts.role == chat_role::assistant;
  if (type == "text") return parts.add(read_text(block));
  if (type == "tool_use" && by_assistant) return parts.add(read_tool_use(block));
  if (type == "tool_result" && parts.role == chat_role::user) return parts.add(read_tool_result(block));
  chat_block other{chat_block::kind::text, {}, {}, {}, read_cache_breakpoint(block)};
  if (by_assistant && type == "thinking")
    other = read_thinking(block, parts.open);
  else
    gather_words(value, path, other.text, failed);
  if (!other.text.empty()) parts.add(std::move(other));  // else redacted thinking, calls of a server's own tools and the like
}

/// A string or an array of blocks.
void read_content(const json::value& content, const std::string& path, message_parts& parts, first_failure& failed) {
  if (const auto* text = content.if_string()) return parts.add({chat_block::kind::text, std::string(text->data(), text->size()), {}, {}});
  const auto* blocks = content.if_array();
  if (blocks == nullptr) return refuse_type(failed, path, "a string or an array of blocks");
  for (std::size_t i = 0; i < blocks->size(); ++i) read_block((*blocks)[i], index_path(path, i), parts, failed);
}

bool read_role(const json_reader& reader, chat_role& role) {
  std::string name;
  if (!reader.read("role", name)) {
    reader.refuse("role", "is missing");
    return false;
  }
  if (name == "user")
    role = chat_role::user;
  else if (name == "assistant")
    role = chat_role::assistant;
  else if (name == "system")
    role = chat_role::system;
  else {
    reader.refuse("role", "must be one of user, assistant, system");
    return false;
  }
  return true;
}

void append(std::vector<chat_message>& messages, message_parts parts) { std::ranges::move(parts.messages, std::back_inserter(messages)); }

void read_message(const json::value& value, const std::string& path, const reasoning_opener& open, turn_request& turn, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader reader(value.get_object(), path, failed);
  message_parts parts{chat_role::user, open};
  if (!read_role(reader, parts.role)) return;
  const auto* content = reader.find("content");
  if (content == nullptr) return reader.refuse("content", "is missing");
  read_content(*content, reader.path_of("content"), parts, failed);
  append(turn.prompt.messages, std::move(parts));
}

void mark(chat_block& block, std::uint32_t ttl_ms) { block.cache_ttl_ms = std::max(block.cache_ttl_ms, ttl_ms); }

}  // namespace

void read_turns(const json_reader& body, std::uint32_t tools_ttl_ms, const reasoning_opener& open, turn_request& turn) {
  turn.prompt.what = turn_prompt::kind::chat;
  auto& messages = turn.prompt.messages;
  if (const auto* system = body.find("system")) {
    message_parts parts{chat_role::system, open};
    read_content(*system, "system", parts, body.failed());
    append(messages, std::move(parts));
  }
  const auto* given = body.array("messages");
  if (given == nullptr) return body.refuse("messages", "is missing");
  const auto bounds = "must have between 1 and " + std::to_string(limits::messages_max) + " entries";
  if (given->empty() || given->size() > limits::messages_max) return body.refuse("messages", bounds);
  for (std::size_t i = 0; i < given->size(); ++i) read_message((*given)[i], index_path("messages", i), open, turn, body.failed());
  if (messages.empty()) return body.refuse("messages", "say nothing that a model can read");
  if (messages.size() > 2 * limits::messages_max) return body.refuse("messages", "hold too many tool results");

  // An answer that somebody has begun is continued.
  const auto& last = messages.back();
  turn.prompt.continue_final_message =
      last.role == chat_role::assistant && last.blocks.back().what == chat_block::kind::text && !last.blocks.back().text.empty();
  const auto spoken = std::ranges::find_if(messages, [](const chat_message& each) { return each.role != chat_role::system; });
  if (spoken != messages.end()) mark(spoken->blocks.front(), tools_ttl_ms);
  mark(messages.back().blocks.back(), read_cache_breakpoint(body));
}

}  // namespace troupe::gateway
