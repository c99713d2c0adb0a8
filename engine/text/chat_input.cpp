#include "engine/text/chat_input.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "engine/text/chat_input_json.hpp"
#include "engine/text/volatile_text.hpp"

namespace troupe::text {
namespace {

using core::chat_block;
using core::chat_message;
using core::chat_role;

/// A message as templates want it: one role, one text.
struct flat_message {
  chat_role role = chat_role::user;
  std::string content{}, reasoning{};
  std::string tool_call_id{}, name{};  ///< of a tool result
  std::vector<const chat_block*> tool_calls{};
};

void join(std::string& text, std::string_view more, std::string_view separator) {
  if (!text.empty() && !more.empty()) text += separator;
  text += more;
}

/// Splits typed messages into flat ones: every tool result is a message of its own.
class flattener {
 public:
  explicit flattener(std::span<const std::string> volatile_text) : volatile_text_(volatile_text) {}

  expected<std::vector<flat_message>> run(std::span<const chat_message> messages) {
    for (std::size_t index = 0; index < messages.size(); ++index) {
      if (auto fault = add(messages[index])) return failure{errc::invalid_request, *fault, "messages[" + std::to_string(index) + "]"};
    }
    return std::move(flat_);
  }

 private:
  std::optional<std::string> add(const chat_message& message) {
    flat_message open{.role = message.role};
    bool used = message.blocks.empty();
    for (const auto& block : message.blocks) {
      switch (block.what) {
        case chat_block::kind::text:
          // An assistant's texts are pieces of one answer; others are parts of their own.
          join(open.content, text_of(message, block), message.role == chat_role::assistant ? "" : "\n");
          used = true;
          break;
        case chat_block::kind::reasoning:
          if (message.role != chat_role::assistant) return "only the assistant reasons";
          join(open.reasoning, block.text, "\n");
          used = true;
          break;
        case chat_block::kind::tool_call:
          if (message.role != chat_role::assistant) return "only the assistant calls tools";
          open.tool_calls.push_back(&block);
          names_[block.id] = block.name;
          used = true;
          break;
        case chat_block::kind::tool_result:
          if (used) flat_.push_back(std::exchange(open, flat_message{.role = message.role}));
          used = false;
          add_result(block);
          break;
      }
    }
    if (used) flat_.push_back(std::move(open));
    return std::nullopt;
  }

  std::string text_of(const chat_message& message, const chat_block& block) const {
    return message.role == chat_role::system ? without_volatile(block.text, volatile_text_) : block.text;
  }

  void add_result(const chat_block& block) {
    flat_message result{.role = chat_role::tool, .content = block.text, .tool_call_id = block.id, .name = block.name};
    if (const auto known = names_.find(block.id); result.name.empty() && known != names_.end()) result.name = known->second;
    flat_.push_back(std::move(result));
  }

  std::span<const std::string> volatile_text_;
  std::vector<flat_message> flat_;
  std::map<std::string, std::string> names_;  ///< call id -> tool
};

std::vector<flat_message> place_system_messages(std::vector<flat_message> messages) {
  std::vector<flat_message> placed;
  std::string held;  // later system texts that wait for the message after them
  const auto release = [&] {
    if (!held.empty()) placed.push_back({.role = chat_role::user, .content = std::exchange(held, {})});
  };
  for (auto& message : messages) {
    const bool leading = placed.empty() || (placed.size() == 1 && placed.front().role == chat_role::system);
    if (message.role == chat_role::system && leading && held.empty()) {
      if (placed.empty()) placed.push_back({.role = chat_role::system});
      join(placed.front().content, message.content, "\n\n");
    } else if (message.role == chat_role::system) {
      join(held, message.content, "\n\n");
    } else {
      if (message.role == chat_role::user) {
        join(held, message.content, "\n\n");
        message.content = std::exchange(held, {});
      }
      if (message.role != chat_role::tool) release();  // nothing may stand between a call and its result
      placed.push_back(std::move(message));
    }
  }
  release();
  return placed;
}

std::vector<flat_message> merge_turns(std::vector<flat_message> messages) {
  std::vector<flat_message> merged;
  for (auto& message : messages) {
    const bool joins = !merged.empty() && merged.back().role == message.role && message.role != chat_role::tool;
    if (!joins) {
      merged.push_back(std::move(message));
      continue;
    }
    auto& last = merged.back();
    join(last.content, message.content, "\n\n");
    join(last.reasoning, message.reasoning, "\n\n");
    last.tool_calls.insert(last.tool_calls.end(), message.tool_calls.begin(), message.tool_calls.end());
  }
  return merged;
}

std::string enclosed(char open, std::string_view body, char close) {
  std::string out(1, open);
  out += body;
  out += close;
  return out;
}

void append_member(std::string& out, std::string_view name, std::string_view json) {
  if (out.back() != '{') out += ", ";
  out.append("\"").append(name).append("\": ").append(json);
}

/// Arguments that are no object become {}: a model's slip in the history must not fail every later turn.
std::string write_call(const chat_block& call) {
  std::string function = "{";
  append_member(function, "name", quote(call.name));
  const bool blank = call.text.find_first_not_of(" \t\r\n") == std::string::npos;
  const auto arguments = blank ? object_text{.valid = true} : inspect_object(call.text);
  append_member(function, "arguments", enclosed('{', arguments.body, '}'));
  if (!arguments.valid) append_member(function, "raw_arguments", quote(call.text));
  std::string out = "{";
  if (!call.id.empty()) append_member(out, "id", quote(call.id));
  append_member(out, "type", "\"function\"");
  append_member(out, "function", function + "}");
  return out + "}";
}

void write_message(std::string& out, const flat_message& message) {
  static constexpr std::array roles{"\"system\"", "\"user\"", "\"assistant\"", "\"tool\""};
  out += "{";
  append_member(out, "role", roles[static_cast<std::size_t>(message.role)]);
  append_member(out, "content", {});
  append_quoted(out, message.content);
  if (!message.reasoning.empty()) append_member(out, "reasoning_content", quote(message.reasoning));
  if (!message.tool_call_id.empty()) append_member(out, "tool_call_id", quote(message.tool_call_id));
  if (!message.name.empty()) append_member(out, "name", quote(message.name));
  std::string calls;
  for (const auto* call : message.tool_calls) join(calls, write_call(*call), ", ");
  if (!calls.empty()) append_member(out, "tool_calls", enclosed('[', calls, ']'));
  out += "}";
}

std::size_t content_bytes(const std::vector<flat_message>& messages) {
  std::size_t bytes = 0;
  for (const auto& message : messages) bytes += message.content.size() + message.reasoning.size();
  return bytes;
}

expected<std::string> write_tools(std::span<const core::chat_tool> tools) {
  std::string out;
  for (std::size_t index = 0; index < tools.size(); ++index) {
    const auto tool = inspect_object(tools[index].json);
    if (!tool.valid) return failure{errc::invalid_request, "a tool is not a JSON object", "tools[" + std::to_string(index) + "]"};
    join(out, enclosed('{', tool.body, '}'), ", ");
  }
  return enclosed('[', out, ']');
}

expected<std::string_view> extra_variables(std::string_view arguments) {
  if (arguments.empty()) return std::string_view{};
  const auto extra = inspect_object(arguments);
  if (!extra.valid) return failure{errc::invalid_request, "chat_template_kwargs is not a JSON object", "chat_template_kwargs"};
  for (const char* reserved : {"messages", "tools", "continue_final_message"}) {
    if (std::ranges::find(extra.keys, reserved) != extra.keys.end()) {
      return failure{errc::invalid_request, std::string("chat_template_kwargs may not set ") + reserved, "chat_template_kwargs"};
    }
  }
  return extra.body;
}

}  // namespace

expected<std::string> to_template_input(const chat_input& input) {
  const auto extra = extra_variables(input.template_arguments);
  if (!extra) return extra.error();
  const auto tools = write_tools(input.tools);
  if (!tools) return tools.error();
  auto flat = flattener(input.volatile_text).run(input.messages);
  if (!flat) return flat.error();
  auto messages = place_system_messages(std::move(*flat));
  if (input.merge_same_role) messages = merge_turns(std::move(messages));
  if (input.continue_final_message && (messages.empty() || messages.back().role != chat_role::assistant)) {
    return failure{errc::invalid_request, "only a final assistant message can be continued", "continue_final_message"};
  }
  // Later members win: a request may override the model's variables, never the conversation.
  std::string out = "{";
  out.reserve(content_bytes(messages) * 5 / 4 + tools->size() + 1024);
  for (const auto& [name, value] : input.variables) {
    if (out.back() != '{') out += ", ";
    out += quote(name) + ": " + quote(value);
  }
  append_member(out, "add_generation_prompt", input.continue_final_message ? "false" : "true");
  if (!extra->empty()) out.append(", ").append(*extra);
  append_member(out, "messages", "[");
  for (const auto& message : messages) {
    if (out.back() != '[') out += ", ";
    write_message(out, message);
  }
  out += ']';
  if (!input.tools.empty()) append_member(out, "tools", *tools);
  if (input.continue_final_message) append_member(out, "continue_final_message", "true");
  return out + "}";
}

}  // namespace troupe::text
