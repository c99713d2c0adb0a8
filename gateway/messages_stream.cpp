#include "gateway/messages_stream.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "gateway/error_shape.hpp"
#include "gateway/hint_echo.hpp"
#include "gateway/json_reader.hpp"
#include "gateway/json_text.hpp"

namespace troupe::gateway {
namespace {

enum class block_kind { none, text, thinking, tool_use };

void append_number(std::string& out, std::string_view key, std::uint32_t value) {
  out.append(key);
  append_json_integer(out, value);
}

void append_text(std::string& out, std::string_view key, std::string_view text) {
  out.append(key);
  append_json_string(out, text);
}

/// What is counted; the object stays open. The last event of a stream has no more than this. The prompt is the sum of the first three.
void open_usage(std::string& out, const answer_shape& shape, const turn_usage& usage) {
  const auto written = cache_written_tokens(shape, usage);
  append_number(out, "{\"input_tokens\":", usage.prompt_tokens - std::min(usage.cached_tokens, usage.prompt_tokens) - written);
  append_number(out, ",\"cache_creation_input_tokens\":", written);
  append_number(out, ",\"cache_read_input_tokens\":", usage.cached_tokens);
  append_number(out, ",\"output_tokens\":", usage.output_tokens);
  append_number(out, ",\"output_tokens_details\":{\"thinking_tokens\":", usage.reasoning_tokens);
  out.append("},\"server_tool_use\":null");
}

void append_usage(std::string& out, const answer_shape& shape, const turn_usage& usage) {
  open_usage(out, shape, usage);
  const auto written = cache_written_tokens(shape, usage);
  const bool for_an_hour = std::chrono::milliseconds(shape.cache_ttl_ms) >= std::chrono::hours(1);
  append_number(out, ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":", for_an_hour ? 0 : written);
  append_number(out, ",\"ephemeral_1h_input_tokens\":", for_an_hour ? written : 0);
  out.append("},\"service_tier\":\"standard\",\"inference_geo\":null,\"speed\":null}");
}

std::string_view stop_reason_of(const turn_finished& event, const answer_shape& shape) {
  switch (event.how) {
    case turn_end::length:
      return event.usage.output_tokens < shape.tokens_max ? "model_context_window_exceeded" : "max_tokens";
    case turn_end::tool_calls:
      return "tool_use";
    default:
      return event.stop_string.empty() ? "end_turn" : "stop_sequence";
  }
}

void append_stop(std::string& out, const turn_finished& event, const answer_shape& shape) {
  out.append("\"stop_reason\":\"").append(stop_reason_of(event, shape)).append("\",\"stop_sequence\":");
  if (event.how == turn_end::stop && !event.stop_string.empty())
    append_json_string(out, event.stop_string);
  else
    out.append("null");
  out.append(",\"stop_details\":null,\"container\":null");
}

/// {"id":...,"type":"message","role":"assistant","model":...,"diagnostics":null,"content":[   (array and object stay open)
void open_message(std::string& out, const answer_shape& shape) {
  append_text(out, "{\"id\":", shape.id);
  append_text(out, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":", shape.model);
  out.append(",\"diagnostics\":null,\"content\":[");
}

/// The id by which a call is answered; one of ours when the session made none.
std::string tool_id_of(const turn_delta& event, const answer_shape& shape) {
  if (!event.tool_id.empty()) return event.tool_id;
  return "toolu_" + hex_of(shape.turn.value) + std::to_string(event.tool_index);
}

/// The thinking itself, sealed; without a key a name.
std::string signature_of(const answer_shape& shape, std::size_t index, std::string_view thinking, const reasoning_sealer& seal) {
  return seal ? seal(thinking) : "troupe-" + hex_of(shape.turn.value) + "-" + std::to_string(index);
}

/// {"type":"tool_use","id":...,"name":...,"caller":{"type":"direct"},"input":   (the object stays open)
void open_tool_use(std::string& out, std::string_view id, std::string_view name) {
  append_text(out, "{\"type\":\"tool_use\",\"id\":", id);
  append_text(out, ",\"name\":", name);
  out.append(",\"caller\":{\"type\":\"direct\"},\"input\":");
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

class messages_stream final : public answer_writer {
 public:
  messages_stream(answer_shape shape, reasoning_sealer seal) : shape_(std::move(shape)), seal_(std::move(seal)) {}

  void started(const turn_started& event, std::string& out) override { begin({event.prompt_tokens, event.cached_tokens}, out); }

  void delta(const turn_delta& event, std::string& out) override {
    begin({}, out);
    switch (event.what) {
      case turn_delta::kind::text:
        return say_text(event.text, out);
      case turn_delta::kind::reasoning:
        if (event.text.empty()) return;
        if (open_ != block_kind::thinking) open_thinking(out);
        thinking_ += event.text;
        return append_piece(event.text, out);
      case turn_delta::kind::tool_begin:
        return open_tool(event, out);
      case turn_delta::kind::tool_arguments:
        if (open_ == block_kind::tool_use) append_piece(event.text, out);
    }
  }

  void finished(const turn_finished& event, std::string& out) override {
    begin(event.usage, out);
    close(out);
    open_frame("message_delta", out);
    out.append(",\"delta\":{");
    append_stop(out, event, shape_);
    out.append("},\"usage\":");
    open_usage(out, shape_, event.usage);
    out.append("}");
    append_agent_hints(out, shape_, event.usage);
    close_frame(out);
    open_frame("message_stop", out);
    close_frame(out);
  }

  void failed(const failure& error, std::string_view request_id, std::string& out) override {
    out.append("event: error\ndata: ").append(anthropic_error_json(error, request_id)).append("\n\n");
  }

 private:
  static void open_frame(std::string_view type, std::string& out) {
    out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).append("\"");
  }
  static void close_frame(std::string& out) { out.append("}\n\n"); }

  void begin(turn_usage usage, std::string& out) {
    if (begun_) return;
    begun_ = true;
    usage.output_tokens = usage.reasoning_tokens = 0;
    open_frame("message_start", out);
    out.append(",\"message\":");
    open_message(out, shape_);
    out.append("],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,\"container\":null,\"usage\":");
    append_usage(out, shape_, usage);
    out.append("}");
    close_frame(out);
  }

  void open_block_frame(std::string_view type, std::string& out) const {
    open_frame(type, out);
    out.append(",\"index\":");
    append_json_integer(out, index_);
  }

  /// `content` is the block as it begins, `piece` what comes before the text of each of its deltas.
  void open(block_kind what, std::string_view content, std::string_view piece, std::string& out) {
    close(out);
    open_ = what;
    open_block_frame("content_block_start", out);
    out.append(",\"content_block\":").append(content);
    close_frame(out);
    piece_.clear();
    open_block_frame("content_block_delta", piece_);
    piece_.append(",\"delta\":").append(piece);
  }

  void open_thinking(std::string& out) {
    open(block_kind::thinking, R"({"type":"thinking","thinking":"","signature":""})", R"({"type":"thinking_delta","thinking":)", out);
  }

  void open_tool(const turn_delta& event, std::string& out) {
    std::string content;
    open_tool_use(content, tool_id_of(event, shape_), event.tool_name);
    content.append("{}}");
    open(block_kind::tool_use, content, R"({"type":"input_json_delta","partial_json":)", out);
  }

  void say_text(std::string_view text, std::string& out) {
    if (open_ == block_kind::text) {
      if (!text.empty()) append_piece(text, out);
      return;
    }
    held_.append(text);
    if (is_blank(held_)) return;
    const auto whole = std::move(held_);
    // Without `citations`: not every client takes null for none.
    open(block_kind::text, R"({"type":"text","text":""})", R"({"type":"text_delta","text":)", out);
    append_piece(whole, out);
  }

  void append_piece(std::string_view text, std::string& out) const {
    append_text(out, piece_, text);
    out.append("}}\n\n");
  }

  void close(std::string& out) {
    held_.clear();
    if (open_ == block_kind::none) return;
    if (open_ == block_kind::thinking) {
      open_block_frame("content_block_delta", out);
      out.append(R"(,"delta":{"type":"signature_delta","signature":")").append(signature_of(shape_, index_, thinking_, seal_)).append("\"}");
      close_frame(out);
      thinking_.clear();
    }
    open_block_frame("content_block_stop", out);
    close_frame(out);
    open_ = block_kind::none;
    ++index_;
  }

  answer_shape shape_;
  reasoning_sealer seal_;
  block_kind open_ = block_kind::none;
  std::uint32_t index_ = 0;  // of the open block, or the next
  std::string piece_;        // what each delta of the open block begins with
  std::string held_;         // space that may begin the next text
  std::string thinking_;     // of the open block
  bool begun_ = false;
};

class messages_whole final : public answer_writer {
 public:
  messages_whole(answer_shape shape, reasoning_sealer seal) : shape_(std::move(shape)), seal_(std::move(seal)) {}

  void started(const turn_started&, std::string&) override {}

  void delta(const turn_delta& event, std::string&) override {
    switch (event.what) {
      case turn_delta::kind::text:
        return say(block_kind::text, event.text);
      case turn_delta::kind::reasoning:
        return say(block_kind::thinking, event.text);
      case turn_delta::kind::tool_begin:
        blocks_.push_back({block_kind::tool_use, {}, tool_id_of(event, shape_), event.tool_name});
        return;
      case turn_delta::kind::tool_arguments:
        if (!blocks_.empty() && blocks_.back().what == block_kind::tool_use) blocks_.back().text += event.text;
    }
  }

  void finished(const turn_finished& event, std::string& out) override {
    std::erase_if(blocks_, [](const block& each) { return each.what != block_kind::tool_use && is_blank(each.text); });
    open_message(out, shape_);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (i != 0) out.push_back(',');
      append_block(blocks_[i], i, out);
    }
    out.append("],");
    append_stop(out, event, shape_);
    out.append(",\"usage\":");
    append_usage(out, shape_, event.usage);
    append_agent_hints(out, shape_, event.usage);
    out.append("}");
  }

  void failed(const failure&, std::string_view, std::string&) override {}

 private:
  struct block {
    block_kind what = block_kind::none;
    std::string text, id, name;
  };

  void say(block_kind what, const std::string& text) {
    if (blocks_.empty() || blocks_.back().what != what) blocks_.push_back({what, {}, {}, {}});
    blocks_.back().text += text;
  }

  void append_block(const block& each, std::size_t index, std::string& out) const {
    if (each.what == block_kind::tool_use) {
      open_tool_use(out, each.id, each.name);
      // The arguments as they came; of a call that was cut off there is no object.
      out.append(parse_object(each.text) ? std::string_view(each.text) : "{}").append("}");
    } else if (each.what == block_kind::thinking) {
      append_text(out, "{\"type\":\"thinking\",\"thinking\":", each.text);
      append_text(out, ",\"signature\":", signature_of(shape_, index, each.text, seal_));
      out.append("}");
    } else {
      append_text(out, "{\"type\":\"text\",\"text\":", each.text);
      out.append("}");
    }
  }

  answer_shape shape_;
  reasoning_sealer seal_;
  std::vector<block> blocks_;
};

}  // namespace

std::unique_ptr<answer_writer> make_messages_writer(answer_shape shape, reasoning_sealer seal) {
  if (shape.stream) return std::make_unique<messages_stream>(std::move(shape), std::move(seal));
  return std::make_unique<messages_whole>(std::move(shape), std::move(seal));
}

}  // namespace troupe::gateway
