// Input items as typed blocks. The protocol has an item for each piece of an answer (its reasoning, its text, each call); templates want
// one message for all of them.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/cache_hints.hpp"
#include "gateway/json_text.hpp"
#include "gateway/responses_request.hpp"
#include "gateway/responses_stream.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

using kind = chat_block::kind;

bool is_no_text(std::string_view type) { return type == "input_image" || type == "input_file" || type == "input_audio"; }

/// The text of one content part, nullopt when it holds none.
std::optional<chat_block> read_part(const json::value& value, const std::string& path, first_failure& failed) {
  if (const auto* text = value.if_string()) return chat_block{kind::text, std::string(text->data(), text->size()), {}, {}};
  if (!value.is_object()) {
    refuse_type(failed, path, "an object");
    return std::nullopt;
  }
  const json_reader part(value.get_object(), path, failed);
  std::string type;
  part.read("type", type);
  if (is_no_text(type)) {
    const auto where = part.path_of("type");
    failed.report(errc::unsupported_content, "'" + where + "' is '" + type + "', which no served model takes", where);
    return std::nullopt;
  }
  chat_block block{kind::text, {}, {}, {}, read_cache_breakpoint(part)};
  if (!part.read("text", block.text) && !part.read("refusal", block.text)) return std::nullopt;
  return block;
}

/// A string or parts, each of which becomes a block.
std::vector<chat_block> read_parts(const json_reader& item, std::string_view key) {
  std::vector<chat_block> blocks;
  const auto* content = item.find(key);
  if (content == nullptr) return blocks;
  const auto path = item.path_of(key);
  if (const auto* text = content->if_string()) {
    blocks.push_back({kind::text, std::string(text->data(), text->size()), {}, {}});
  } else if (const auto* parts = content->if_array()) {
    for (std::size_t i = 0; i < parts->size(); ++i)
      if (auto block = read_part((*parts)[i], index_path(path, i), item.failed())) blocks.push_back(std::move(*block));
  } else {
    refuse_type(item.failed(), path, "a string or an array of parts");
  }
  return blocks;
}

std::string join(const std::vector<chat_block>& blocks) {
  std::string text;
  for (const auto& block : blocks) text += block.text;
  return text;
}

class item_reader {
 public:
  item_reader(const offered_tools& tools, const responses_sources& sources, turn_prompt& prompt, first_failure& failed)
      : tools_(tools), sources_(sources), prompt_(prompt), failed_(failed) {}

  void read(const json::value& value, const std::string& path) {
    if (!value.is_object()) return refuse_type(failed_, path, "an object");
    const json_reader item(value.get_object(), path, failed_);
    std::string type = "message";
    item.read("type", type);
    if (type == "message") return read_message(item);
    if (type == "function_call" || type == "custom_tool_call") return read_call(item, type == "custom_tool_call");
    if (type == "function_call_output" || type == "custom_tool_call_output") return read_output(item);
    if (type == "reasoning") return read_reasoning(item);
    read_other(value.get_object(), path);
  }

 private:
  /// The message that an answer's next piece belongs to.
  chat_message& answer() {
    auto& messages = prompt_.messages;
    if (messages.empty() || messages.back().role != chat_role::assistant) messages.push_back({chat_role::assistant, {}});
    return messages.back();
  }

  void say(chat_role role, std::vector<chat_block> blocks) {
    if (blocks.empty()) return;
    auto& messages = prompt_.messages;
    // Two texts in a row are two answers: within one of ours a call or reasoning stands between them.
    const bool goes_on = role == chat_role::assistant && !messages.empty() && messages.back().role == role &&
                         messages.back().blocks.back().what != kind::text;
    if (!goes_on) messages.push_back({role, {}});
    auto& into = prompt_.messages.back().blocks;
    for (auto& block : blocks) into.push_back(std::move(block));
  }

  void read_message(const json_reader& item) {
    std::string role;
    if (!item.read("role", role)) return item.refuse("role", "is missing");
    if (item.find("content") == nullptr) return item.refuse("content", "is missing");
    auto blocks = read_parts(item, "content");
    if (role == "user") return say(chat_role::user, std::move(blocks));
    if (role == "assistant") return say(chat_role::assistant, std::move(blocks));
    if (role == "system" || role == "developer") return say(chat_role::system, std::move(blocks));
    item.refuse("role", "must be one of user, assistant, system, developer");
  }

  void read_call(const json_reader& item, bool is_custom) {
    chat_block block{kind::tool_call, "{}", {}, {}};
    std::string name, space;
    if (!item.read("call_id", block.id)) item.read("id", block.id);
    if (!item.read("name", name)) return item.refuse("name", "is missing");
    item.read("namespace", space);
    block.name = tools_.offered_name(name, space);
    const auto* given = item.find(is_custom ? "input" : "arguments");
    if (is_custom) {
      std::string input;
      item.read("input", input);
      block.text = "{\"" + std::string(custom_argument) + "\":";
      append_json_string(block.text, input);
      block.text += "}";
    } else if (given != nullptr && given->is_object()) {
      block.text = json::serialize(*given);
    } else {
      item.read("arguments", block.text);  // text that is no JSON stays: history is never refused for it
    }
    answer().blocks.push_back(std::move(block));
  }

  void read_output(const json_reader& item) {
    chat_block block{kind::tool_result, {}, {}, {}};
    if (!item.read("call_id", block.id)) return item.refuse("call_id", "is missing");
    block.text = join(read_parts(item, "output"));
    prompt_.messages.push_back({chat_role::tool, {std::move(block)}});
  }

  /// What was sealed is what the model wrote. A seal of somebody else's says nothing here; a summary is the model's own words if we wrote
  /// it.
  void read_reasoning(const json_reader& item) {
    std::string sealed;
    std::optional<std::string> text;
    const auto* given = item.find("encrypted_content");
    if (given != nullptr && given->is_string() && sources_.open_reasoning) text = sources_.open_reasoning(given->get_string());
    const auto* content = item.find("content");
    if (!text && content != nullptr && content->is_array()) text = join(read_parts(item, "content"));
    std::string id;
    if ((!text || text->empty()) && item.read("id", id) && is_own_item(id)) text = join(read_parts(item, "summary"));
    if (text && !text->empty()) answer().blocks.push_back({kind::reasoning, std::move(*text), {}, {}});
  }

  /// Items of later versions, references to what is not known, compactions of other servers, calls of tools that run elsewhere.
  void read_other(const json::object& object, const std::string& path) {
    std::vector<chat_block> words;
    for (const std::string_view key : {"summary", "content", "output", "text"}) {
      first_failure ignored;
      for (auto& block : read_parts(json_reader(object, path, ignored), key))
        if (!block.text.empty()) words.push_back(std::move(block));
    }
    say(chat_role::user, std::move(words));
  }

  const offered_tools& tools_;
  const responses_sources& sources_;
  turn_prompt& prompt_;
  first_failure& failed_;
};

}  // namespace

void read_items(const json::array& items, const std::string& path, const offered_tools& tools, const responses_sources& sources,
                turn_prompt& prompt, first_failure& failed) {
  item_reader reader(tools, sources, prompt, failed);
  for (std::size_t i = 0; i < items.size(); ++i) reader.read(items[i], index_path(path, i));
}

}  // namespace troupe::gateway
