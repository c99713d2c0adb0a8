// The legacy completions shape: text instead of messages, and logprobs as parallel arrays.
#include <optional>

#include "gateway/hint_echo.hpp"
#include "gateway/json_text.hpp"
#include "gateway/openai_logprobs.hpp"
#include "gateway/openai_stream.hpp"

namespace troupe::gateway {
namespace {

bool is_text(const turn_delta& event) { return event.what == turn_delta::kind::text || event.what == turn_delta::kind::reasoning; }

class completion_stream final : public openai_writer {
 public:
  explicit completion_stream(answer_shape shape) : shape_(std::move(shape)) {
    open_ = "data: " + open_answer(shape_, "text_completion");
    prefix_ = open_ + "\"choices\":[{\"index\":0,\"text\":";
  }

  void started(const turn_started&, std::string&) override {}

  void delta(const turn_delta& event, std::string& out) override {
    if (!is_text(event)) return;
    out.append(prefix_);
    append_json_string(out, event.text);
    out.append(",\"logprobs\":");
    if (shape_.logprobs && !event.tokens.empty()) {
      logprobs_.add(event);
      logprobs_.append_to(out);
      logprobs_.clear();
    } else {
      out.append("null");
    }
    out.append(",\"finish_reason\":null}]}\n\n");
  }

  void finished(const turn_finished& event, std::string& out) override {
    out.append(prefix_).append("\"\",\"logprobs\":null,\"finish_reason\":\"").append(finish_reason_of(event.how)).append("\"}]");
    if (shape_.include_usage) {
      out.append("}\n\n").append(open_).append("\"choices\":[],\"usage\":");
      append_usage(out, event.usage);
    }
    append_openai_hints(out, shape_, event.usage);
    out.append("}\n\n");
    out.append("data: [DONE]\n\n");
  }

 private:
  answer_shape shape_;
  std::string open_, prefix_;
  completion_logprobs logprobs_;
};

class completion_whole final : public openai_writer {
 public:
  explicit completion_whole(answer_shape shape) : shape_(std::move(shape)) {}

  void started(const turn_started&, std::string&) override {}

  void delta(const turn_delta& event, std::string&) override {
    if (!is_text(event)) return;
    text_ += event.text;
    if (shape_.logprobs) logprobs_.add(event);
  }

  void finished(const turn_finished& event, std::string& out) override {
    out.append(open_answer(shape_, "text_completion")).append("\"choices\":[{\"index\":0,\"text\":");
    append_json_string(out, text_);
    out.append(",\"logprobs\":");
    if (shape_.logprobs)
      logprobs_.append_to(out);
    else
      out.append("null");
    out.append(",\"finish_reason\":\"").append(finish_reason_of(event.how)).append("\"}],\"usage\":");
    append_usage(out, event.usage);
    append_openai_hints(out, shape_, event.usage);
    out.append("}");
  }

 private:
  answer_shape shape_;
  std::string text_;
  completion_logprobs logprobs_;
};

}  // namespace

std::unique_ptr<answer_writer> make_completion_writer(answer_shape shape) {
  if (shape.stream) return std::make_unique<completion_stream>(std::move(shape));
  return std::make_unique<completion_whole>(std::move(shape));
}

}  // namespace troupe::gateway
