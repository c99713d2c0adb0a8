#include "test/node/turn_stream.hpp"

#include <random>
#include <stdexcept>

namespace troupe::test {
namespace {

using json = nlohmann::json;

constexpr std::string_view head_end = "\r\n\r\n";

http_fields with_type(http_fields fields) {
  fields.emplace("content-type", "application/json");
  return fields;
}

}  // namespace

turn_stream::turn_stream(std::uint16_t port, json body, const http_fields& fields) : client_(port) {
  const auto path = body.contains("messages") ? "/v1/chat/completions" : "/v1/completions";
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  client_.send_request("POST", path, body.dump(), with_type(fields));
}

void turn_stream::read_head() {
  if (head_read_) return;
  head_read_ = true;
  raw_ = client_.read_until(head_end);
  const auto end = raw_.find(head_end);
  result_.status = std::stoi(raw_.substr(raw_.find(' ') + 1, 3));
  if (result_.status == 200) {
    raw_.erase(0, end + head_end.size());
    return;
  }
  // A refusal is one JSON object; the server may keep the connection, so its length must be known.
  const auto length_at = raw_.find("ontent-length: ");
  const auto length = length_at < end ? std::stoul(raw_.substr(length_at + 15)) : 0;
  raw_.erase(0, end + head_end.size());
  while (raw_.size() < length) raw_ += client_.read_until("}");
  const auto refusal = json::parse(raw_);
  result_.error_code = refusal.at("error").at("code");
  ended_ = true;
}

/// Moves one chunk from `raw_` to `body_`. False: it is not whole yet.
bool turn_stream::decode_chunk() {
  const auto line = raw_.find("\r\n");
  if (line == raw_.npos) return false;
  const auto size = std::stoul(raw_.substr(0, line), nullptr, 16);
  if (raw_.size() < line + 2 + size + 2) return false;
  body_.append(raw_, line + 2, size);
  raw_.erase(0, line + 2 + size + 2);
  if (size == 0) ended_ = true;
  return true;
}

/// Every frame ends with an empty line.
bool turn_stream::read_frame(std::string& frame) {
  read_head();
  for (;;) {
    if (const auto end = body_.find("\n\n"); end != body_.npos) {
      frame = body_.substr(0, end);
      body_.erase(0, end + 2);
      return true;
    }
    if (ended_) return false;
    if (!decode_chunk()) raw_ += client_.read_until("\n");
  }
}

void turn_stream::take(const json& frame) {
  if (frame.contains("error")) {
    result_.error_code = frame["error"]["code"];
    return;
  }
  if (frame.contains("usage") && frame["usage"].is_object()) {
    const auto& usage = frame["usage"];
    result_.prompt_tokens = usage["prompt_tokens"];
    result_.cached_tokens = usage["prompt_tokens_details"]["cached_tokens"];
    result_.output_tokens = usage["completion_tokens"];
  }
  for (const auto& choice : frame.at("choices")) {
    if (choice.contains("text")) result_.text += choice["text"].get<std::string>();
    if (choice.contains("delta") && choice["delta"].contains("content")) result_.text += choice["delta"]["content"].get<std::string>();
    if (choice.contains("finish_reason") && choice["finish_reason"].is_string()) result_.finish_reason = choice["finish_reason"];
  }
}

bool turn_stream::next() {
  std::string frame;
  while (read_frame(frame)) {
    if (!frame.starts_with("data: ")) continue;  // a comment
    if (frame == "data: [DONE]") {
      result_.done = true;
      continue;
    }
    const auto before = result_.text.size();
    take(json::parse(frame.substr(6)));
    ++result_.frames;
    if (result_.text.size() > before) return true;
  }
  return false;
}

const turn_result& turn_stream::finish() {
  while (next()) {
  }
  return result_;
}

std::vector<int> some_tokens(std::size_t count, std::uint32_t seed) {
  // The built-in vocabulary ends with its special tokens; its first 900 are plain.
  std::mt19937 random{seed};
  std::vector<int> tokens(count);
  for (auto& token : tokens) token = static_cast<int>(random() % 900);
  return tokens;
}

json completion_of(const std::vector<int>& prompt, std::uint32_t tokens_max) {
  return {{"prompt", prompt}, {"max_tokens", tokens_max}, {"temperature", 0}, {"ignore_eos", true}};
}

json chat_of(const std::string& text, std::uint32_t tokens_max) {
  return {{"messages", json::array({{{"role", "user"}, {"content", text}}})},
          {"max_tokens", tokens_max},
          {"temperature", 0},
          {"ignore_eos", true}};
}

}  // namespace troupe::test
