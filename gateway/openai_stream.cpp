#include "gateway/openai_stream.hpp"

#include <vector>

#include "gateway/error_shape.hpp"
#include "gateway/hint_echo.hpp"
#include "gateway/json_text.hpp"
#include "gateway/openai_logprobs.hpp"

namespace troupe::gateway {
namespace {

/// The id a tool call is answered by; one of ours when the session made none.
std::string tool_id_of(const turn_delta& event, const answer_shape& shape) {
  if (!event.tool_id.empty()) return event.tool_id;
  return "call_" + hex_of(shape.turn.value) + std::to_string(event.tool_index);
}

/// {"index":0,"delta":{...}} chunks. Everything around the delta is made once.
class chat_stream final : public openai_writer {
 public:
  explicit chat_stream(answer_shape shape) : shape_(std::move(shape)) {
    open_ = "data: " + open_answer(shape_, "chat.completion.chunk");
    prefix_ = open_ + "\"choices\":[{\"index\":0,\"delta\":{";
  }

  void started(const turn_started&, std::string& out) override { begin(out); }

  void delta(const turn_delta& event, std::string& out) override {
    begin(out);
    out.append(prefix_);
    switch (event.what) {
      case turn_delta::kind::text:
        append_text(out, "\"content\":", event.text);
        break;
      case turn_delta::kind::reasoning:
        append_text(out, "\"reasoning_content\":", event.text);
        break;
      case turn_delta::kind::tool_begin:
        append_tool_begin(out, event);
        break;
      case turn_delta::kind::tool_arguments:
        append_tool_arguments(out, event);
        break;
    }
    if (shape_.logprobs && !event.tokens.empty()) {
      out.append("},\"logprobs\":{\"content\":[");
      append_chat_logprobs(out, event);
      out.append("],\"refusal\":null");
    }
    out.append("},\"finish_reason\":null}]}\n\n");
  }

  void finished(const turn_finished& event, std::string& out) override {
    begin(out);
    out.append(prefix_).append("},\"finish_reason\":\"").append(finish_reason_of(event.how)).append("\"}]");
    if (shape_.include_usage) {
      out.append("}\n\n").append(open_).append("\"choices\":[],\"usage\":");
      append_usage(out, event.usage);
    }
    append_openai_hints(out, shape_, event.usage);
    out.append("}\n\n");
    out.append("data: [DONE]\n\n");
  }

 private:
  void begin(std::string& out) {
    if (begun_) return;
    begun_ = true;
    out.append(prefix_).append("\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
  }

  static void append_text(std::string& out, std::string_view key, std::string_view text) {
    out.append(key);
    append_json_string(out, text);
  }

  static void open_tool(std::string& out, const turn_delta& event) {
    out.append("\"tool_calls\":[{\"index\":");
    append_json_integer(out, event.tool_index);
  }

  void append_tool_begin(std::string& out, const turn_delta& event) const {
    open_tool(out, event);
    append_text(out, ",\"id\":", tool_id_of(event, shape_));
    append_text(out, ",\"type\":\"function\",\"function\":{\"name\":", event.tool_name);
    out.append(",\"arguments\":\"\"}}]");
  }

  static void append_tool_arguments(std::string& out, const turn_delta& event) {
    open_tool(out, event);
    append_text(out, ",\"function\":{\"arguments\":", event.text);
    out.append("}}]");
  }

  answer_shape shape_;
  std::string open_, prefix_;
  bool begun_ = false;
};

class chat_whole final : public openai_writer {
 public:
  explicit chat_whole(answer_shape shape) : shape_(std::move(shape)) {}

  void started(const turn_started&, std::string&) override {}

  void delta(const turn_delta& event, std::string&) override {
    switch (event.what) {
      case turn_delta::kind::text:
        text_ += event.text;
        break;
      case turn_delta::kind::reasoning:
        reasoning_ += event.text;
        break;
      case turn_delta::kind::tool_begin:
        tools_.push_back({event.tool_index, tool_id_of(event, shape_), event.tool_name, {}});
        break;
      case turn_delta::kind::tool_arguments:
        for (auto& tool : tools_)
          if (tool.index == event.tool_index) tool.arguments += event.text;
        break;
    }
    if (!shape_.logprobs || event.tokens.empty()) return;
    if (!logprobs_.empty()) logprobs_.push_back(',');
    append_chat_logprobs(logprobs_, event);
  }

  void finished(const turn_finished& event, std::string& out) override {
    out.append(open_answer(shape_, "chat.completion")).append("\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (text_.empty() && !tools_.empty())
      out.append("null");
    else
      append_json_string(out, text_);
    out.append(",\"refusal\":null");
    if (!reasoning_.empty()) {
      out.append(",\"reasoning_content\":");
      append_json_string(out, reasoning_);
    }
    if (!tools_.empty()) append_tools(out);
    out.append("},\"logprobs\":");
    if (shape_.logprobs)
      out.append("{\"content\":[").append(logprobs_).append("],\"refusal\":null}");
    else
      out.append("null");
    out.append(",\"finish_reason\":\"").append(finish_reason_of(event.how)).append("\"}],\"usage\":");
    append_usage(out, event.usage);
    append_openai_hints(out, shape_, event.usage);
    out.append("}");
  }

 private:
  struct tool_call {
    std::uint32_t index = 0;
    std::string id, name, arguments;
  };

  void append_tools(std::string& out) const {
    out.append(",\"tool_calls\":[");
    for (const auto& tool : tools_) {
      if (&tool != &tools_.front()) out.push_back(',');
      out.append("{\"id\":");
      append_json_string(out, tool.id);
      out.append(",\"type\":\"function\",\"function\":{\"name\":");
      append_json_string(out, tool.name);
      out.append(",\"arguments\":");
      append_json_string(out, tool.arguments);
      out.append("}}");
    }
    out.push_back(']');
  }

  answer_shape shape_;
  std::string text_, reasoning_, logprobs_;
  std::vector<tool_call> tools_;
};

}  // namespace

void openai_writer::failed(const failure& error, std::string_view, std::string& out) {
  out.append("data: ").append(error_json(error)).append("\n\n");
}

std::string_view finish_reason_of(turn_end how) noexcept {
  switch (how) {
    case turn_end::length:
      return "length";
    case turn_end::tool_calls:
      return "tool_calls";
    default:
      return "stop";
  }
}

void append_usage(std::string& out, const turn_usage& usage) {
  const auto append = [&out](std::string_view key, std::uint64_t value) {
    out.append(key);
    append_json_integer(out, static_cast<std::int64_t>(value));
  };
  append("{\"prompt_tokens\":", usage.prompt_tokens);
  append(",\"completion_tokens\":", usage.output_tokens);
  append(",\"total_tokens\":", std::uint64_t{usage.prompt_tokens} + usage.output_tokens);
  append(",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
  append("},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning_tokens);
  out.append("}}");
}

std::string open_answer(const answer_shape& shape, std::string_view object) {
  std::string out = "{\"id\":";
  append_json_string(out, shape.id);
  out.append(",\"object\":\"").append(object).append("\",\"created\":");
  append_json_integer(out, shape.created_s);
  out.append(",\"model\":");
  append_json_string(out, shape.model);
  out.append(",\"system_fingerprint\":");
  append_json_string(out, shape.fingerprint);
  out.push_back(',');
  return out;
}

std::unique_ptr<answer_writer> make_chat_writer(answer_shape shape) {
  if (shape.stream) return std::make_unique<chat_stream>(std::move(shape));
  return std::make_unique<chat_whole>(std::move(shape));
}

}  // namespace troupe::gateway
