#include "gateway/openai_logprobs.hpp"

#include "gateway/json_text.hpp"

namespace troupe::gateway {
namespace {

/// The texts of a delta: those of its tokens, then those of each token's alternatives in order.
class text_cursor {
 public:
  explicit text_cursor(const turn_delta& event) : event_(event), next_top_(event.tokens.size()) {}
  [[nodiscard]] std::string_view token(std::size_t index) const { return at(index); }
  std::string_view next_top() { return at(next_top_++); }

 private:
  [[nodiscard]] std::string_view at(std::size_t index) const {
    return index < event_.token_texts.size() ? std::string_view(event_.token_texts[index]) : std::string_view{};
  }
  const turn_delta& event_;
  std::size_t next_top_;
};

void append_entry(std::string& out, std::string_view text, float logprob) {
  out.append("{\"token\":");
  append_json_string(out, text);
  out.append(",\"logprob\":");
  append_json_logprob(out, logprob);
  out.append(",\"bytes\":[");
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != 0) out.push_back(',');
    append_json_integer(out, static_cast<unsigned char>(text[i]));
  }
  out.push_back(']');
}

std::int64_t characters_in(std::string_view text) {
  std::int64_t count = 0;
  for (const char letter : text) count += (static_cast<unsigned char>(letter) & 0xC0) != 0x80;
  return count;
}

void separate(std::string& list) {
  if (!list.empty()) list.push_back(',');
}

}  // namespace

void append_chat_logprobs(std::string& out, const turn_delta& event) {
  text_cursor texts(event);
  for (std::size_t i = 0; i < event.tokens.size(); ++i) {
    if (i != 0) out.push_back(',');
    append_entry(out, texts.token(i), event.tokens[i].logprob);
    out.append(",\"top_logprobs\":[");
    for (std::size_t k = 0; k < event.tokens[i].top.size(); ++k) {
      if (k != 0) out.push_back(',');
      append_entry(out, texts.next_top(), event.tokens[i].top[k].logprob);
      out.push_back('}');
    }
    out.append("]}");
  }
}

void completion_logprobs::add(const turn_delta& event) {
  text_cursor texts(event);
  for (std::size_t i = 0; i < event.tokens.size(); ++i) {
    for (auto* list : {&tokens_, &values_, &tops_, &offsets_}) separate(*list);
    append_json_string(tokens_, texts.token(i));
    append_json_logprob(values_, event.tokens[i].logprob);
    append_json_integer(offsets_, offset_);
    offset_ += characters_in(texts.token(i));
    tops_.push_back('{');
    for (std::size_t k = 0; k < event.tokens[i].top.size(); ++k) {
      if (k != 0) tops_.push_back(',');
      append_json_string(tops_, texts.next_top());
      tops_.push_back(':');
      append_json_logprob(tops_, event.tokens[i].top[k].logprob);
    }
    tops_.push_back('}');
  }
}

void completion_logprobs::append_to(std::string& out) const {
  out.append("{\"tokens\":[").append(tokens_).append("],\"token_logprobs\":[").append(values_);
  out.append("],\"top_logprobs\":[").append(tops_).append("],\"text_offset\":[").append(offsets_).append("]}");
}

void completion_logprobs::clear() {
  for (auto* list : {&tokens_, &values_, &tops_, &offsets_}) list->clear();
}

}  // namespace troupe::gateway
