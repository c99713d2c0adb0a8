#include "gateway/responses_stream.hpp"

#include <boost/json/value.hpp>

#include "gateway/json_text.hpp"
#include "gateway/openai_logprobs.hpp"

namespace troupe::gateway {
namespace {

enum class item_kind { none, message, reasoning, function_call, custom_call };

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// The free text of a custom tool's call; of arguments that are no such object, the arguments themselves.
std::string custom_input(const std::string& arguments) {
  const auto object = parse_object(arguments);
  const auto* input = object ? object->if_contains(custom_argument) : nullptr;
  if (input == nullptr || !input->is_string()) return arguments;
  return std::string(input->get_string().data(), input->get_string().size());
}

/// Writes both forms: a whole answer is a stream whose frames nobody asked for.
class items_writer final : public responses_writer {
 public:
  items_writer(answer_shape shape, std::shared_ptr<const responses_wish> wish, reasoning_sealer seal)
      : shape_(std::move(shape)), wish_(std::move(wish)), seal_(std::move(seal)), stored_(wish_->store) {}

  void started(const turn_started&, std::string& out) override { begin(out); }

  void delta(const turn_delta& event, std::string& out) override {
    begin(out);
    switch (event.what) {
      case turn_delta::kind::text:
        return say_text(event, out);
      case turn_delta::kind::reasoning:
        if (event.text.empty()) return;
        if (open_ != item_kind::reasoning) open_reasoning(out);
        text_ += event.text;
        return reasoning_frame("text.delta", ",\"delta\":" + quoted(event.text), out);
      case turn_delta::kind::tool_begin:
        return open_call(event, out);
      case turn_delta::kind::tool_arguments:
        if (open_ != item_kind::function_call && open_ != item_kind::custom_call) return;
        text_ += event.text;
        if (open_ == item_kind::function_call)
          item_frame("response.function_call_arguments.delta", ",\"delta\":" + quoted(event.text), out);
    }
  }

  const std::string& response(const turn_finished& event) override {
    if (!body_.empty()) return body_;
    const bool is_cut = event.how == turn_end::length;
    begin(tail_);
    close(is_cut ? "incomplete" : "completed", tail_);
    body_ = object({is_cut ? "incomplete" : "completed", output_, &event.usage, nullptr});
    return body_;
  }

  void note_unstored() override {
    stored_ = false;
    body_.clear();
  }

  void finished(const turn_finished& event, std::string& out) override {
    const auto& body = response(event);
    if (!shape_.stream) {
      out.append(body);
      return;
    }
    out.append(tail_);
    frame(event.how == turn_end::length ? "response.incomplete" : "response.completed", ",\"response\":" + body, out);
  }

  void failed(const failure& error, std::string_view, std::string& out) override {
    begin(out);
    stored_ = false;
    frame("response.failed", ",\"response\":" + object({"failed", output_, nullptr, &error}), out);
  }

 private:
  std::string object(response_state state) const {
    state.stored = stored_;
    return response_json(shape_, *wish_, state);
  }

  void frame(std::string_view type, std::string_view members, std::string& out) {
    if (!shape_.stream) return;
    out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).append("\",\"sequence_number\":");
    append_json_integer(out, sequence_++);
    out.append(members).append("}\n\n");
  }

  std::string output_index() const { return ",\"output_index\":" + std::to_string(items_); }
  void item_frame(std::string_view type, std::string_view members, std::string& out) {
    if (shape_.stream) frame(type, ",\"item_id\":\"" + id_ + "\"" + output_index() + std::string(members), out);
  }
  void part_frame(std::string_view type, const std::string& members, std::string& out) {
    item_frame(type, ",\"content_index\":0" + members, out);
  }

  /// Of the open reasoning's only part.
  void reasoning_frame(std::string_view what, const std::string& members, std::string& out) {
    if (wish_->summarised) return item_frame("response.reasoning_summary_" + std::string(what), ",\"summary_index\":0" + members, out);
    part_frame((what.starts_with("part") ? "response.content_" : "response.reasoning_") + std::string(what), members, out);
  }

  void begin(std::string& out) {
    if (begun_) return;
    begun_ = true;
    if (!shape_.stream) return;
    const auto body = ",\"response\":" + object({"in_progress", {}, nullptr, nullptr});
    frame("response.created", body, out);
    frame("response.in_progress", body, out);
  }

  void open(item_kind what, std::string_view prefix, std::string& out) {
    close("completed", out);
    open_ = what;
    id_ = std::string(prefix) + hex_of(shape_.turn.value) + std::to_string(items_);
    frame("response.output_item.added", output_index() + ",\"item\":" + item("in_progress"), out);
  }

  void open_reasoning(std::string& out) {
    open(item_kind::reasoning, "rs_", out);
    reasoning_frame("part.added", ",\"part\":" + part(), out);
  }

  void open_call(const turn_delta& event, std::string& out) {
    const auto* tool = wish_->tools.find(event.tool_name);
    const bool is_custom = tool != nullptr && tool->is_custom;
    close("completed", out);
    call_id_ = event.tool_id.empty() ? "call_" + hex_of(shape_.turn.value) + std::to_string(event.tool_index) : event.tool_id;
    name_ = tool == nullptr ? event.tool_name : tool->name;
    space_ = tool == nullptr ? std::string{} : tool->space;
    open(is_custom ? item_kind::custom_call : item_kind::function_call, is_custom ? "ctc_" : "fc_", out);
  }

  void say_text(const turn_delta& event, std::string& out) {
    std::string logprobs;
    if (shape_.logprobs && !event.tokens.empty()) append_chat_logprobs(logprobs, event);
    if (open_ != item_kind::message) {
      held_ += event.text;
      append_logprobs(held_logprobs_, logprobs);
      if (is_blank(held_)) return;
      const auto whole = std::exchange(held_, {});
      logprobs = std::exchange(held_logprobs_, {});
      open(item_kind::message, "msg_", out);
      part_frame("response.content_part.added", ",\"part\":" + part(), out);
      return append_text(whole, logprobs, out);
    }
    if (!event.text.empty() || !logprobs.empty()) append_text(event.text, logprobs, out);
  }

  void append_text(const std::string& text, const std::string& logprobs, std::string& out) {
    text_ += text;
    append_logprobs(logprobs_, logprobs);
    part_frame("response.output_text.delta", ",\"delta\":" + quoted(text) + ",\"logprobs\":[" + logprobs + "]", out);
  }

  static void append_logprobs(std::string& to, const std::string& more) {
    if (!to.empty() && !more.empty()) to.push_back(',');
    to.append(more);
  }

  /// The content part of the open item as it is now.
  std::string part() const {
    if (open_ == item_kind::reasoning)
      return std::string(wish_->summarised ? R"({"type":"summary_text","text":)" : R"({"type":"reasoning_text","text":)") + quoted(text_) +
             "}";
    return R"({"type":"output_text","annotations":[],"logprobs":[)" + logprobs_ + "],\"text\":" + quoted(text_) + "}";
  }

  /// The open item as it is now.
  std::string item(std::string_view status) const {
    const bool is_new = status == "in_progress";
    std::string out = "{\"id\":\"" + id_ + "\",\"type\":";
    switch (open_) {
      case item_kind::message:
        out += R"("message","role":"assistant","content":[)" + (is_new ? std::string{} : part()) + "]";
        break;
      case item_kind::reasoning:
        out += wish_->summarised ? R"("reasoning","summary":[)" : R"("reasoning","summary":[],"content":[)";
        out += (is_new ? std::string{} : part()) + "]";
        if (wish_->encrypted_reasoning && seal_ && !is_new) out += ",\"encrypted_content\":" + quoted(seal_(text_));
        break;
      case item_kind::custom_call:
        out += R"("custom_tool_call","call_id":)" + quoted(call_id_) + ",\"name\":" + quoted(name_) +
               ",\"input\":" + quoted(custom_input(text_));
        break;
      default:
        out += R"("function_call","call_id":)" + quoted(call_id_) + ",\"name\":" + quoted(name_) + ",\"arguments\":" + quoted(text_);
    }
    if (!space_.empty()) out += ",\"namespace\":" + quoted(space_);
    return out.append(",\"status\":\"").append(status).append("\"}");
  }

  /// Of the open item: what it says as a whole.
  void finish_content(std::string& out) {
    if (open_ == item_kind::message) {
      part_frame("response.output_text.done", ",\"text\":" + quoted(text_) + ",\"logprobs\":[" + logprobs_ + "]", out);
      part_frame("response.content_part.done", ",\"part\":" + part(), out);
    } else if (open_ == item_kind::reasoning) {
      reasoning_frame("text.done", ",\"text\":" + quoted(text_), out);
      reasoning_frame("part.done", ",\"part\":" + part(), out);
    } else if (open_ == item_kind::custom_call) {
      const auto input = quoted(custom_input(text_));
      item_frame("response.custom_tool_call_input.delta", ",\"delta\":" + input, out);
      item_frame("response.custom_tool_call_input.done", ",\"input\":" + input, out);
    } else {
      item_frame("response.function_call_arguments.done", ",\"name\":" + quoted(name_) + ",\"arguments\":" + quoted(text_), out);
    }
  }

  void close(std::string_view status, std::string& out) {
    if (open_ != item_kind::message) held_.clear(), held_logprobs_.clear();
    if (open_ == item_kind::none) return;
    finish_content(out);
    const auto done = item(status);
    frame("response.output_item.done", output_index() + ",\"item\":" + done, out);
    if (items_++ != 0) output_.push_back(',');
    output_.append(done);
    open_ = item_kind::none;
    text_.clear(), logprobs_.clear(), space_.clear();
  }

  answer_shape shape_;
  std::shared_ptr<const responses_wish> wish_;
  reasoning_sealer seal_;
  item_kind open_ = item_kind::none;
  std::size_t items_ = 0;  // that are closed: the index of the open one
  std::int64_t sequence_ = 0;
  std::string id_, text_, logprobs_;    // of the open item
  std::string call_id_, name_, space_;  // when it is a call
  std::string held_, held_logprobs_;    // space that may begin the next message
  std::string output_, tail_, body_;    // closed items; frames behind the last delta; the response
  bool begun_ = false, stored_;
};

}  // namespace

std::unique_ptr<responses_writer> make_responses_writer(answer_shape shape, std::shared_ptr<const responses_wish> wish,
                                                        reasoning_sealer seal) {
  return std::make_unique<items_writer>(std::move(shape), std::move(wish), std::move(seal));
}

}  // namespace troupe::gateway
