// The response object: what every event that carries it, the whole answer and a later GET agree on.
#include <algorithm>

#include "gateway/hint_echo.hpp"
#include "gateway/json_text.hpp"
#include "gateway/responses_stream.hpp"

namespace troupe::gateway {
namespace {

void append_number(std::string& out, std::string_view key, std::uint64_t value) {
  out.append(key);
  append_json_integer(out, static_cast<std::int64_t>(value));
}

void append_usage(std::string& out, const answer_shape& shape, const turn_usage& usage) {
  append_number(out, ",\"usage\":{\"input_tokens\":", usage.prompt_tokens);
  append_number(out, ",\"input_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
  append_number(out, ",\"cache_write_tokens\":", cache_written_tokens(shape, usage));
  append_number(out, "},\"output_tokens\":", usage.output_tokens);
  append_number(out, ",\"output_tokens_details\":{\"reasoning_tokens\":", usage.reasoning_tokens);
  append_number(out, "},\"total_tokens\":", std::uint64_t{usage.prompt_tokens} + usage.output_tokens);
  out.append("}");
}

/// Of the codes that clients act on. Codex reads the wait out of the words.
void append_error(std::string& out, const failure& error) {
  std::string_view code = "server_error", advice;
  if (error.code == errc::context_length_exceeded) code = "context_length_exceeded";
  if (describe(error.code).http_status == 400 && error.code != errc::context_length_exceeded) code = "invalid_prompt";
  if (describe(error.code).http_status == 429) {
    code = "rate_limit_exceeded";
    advice = ". Please try again in 1s.";
  }
  out.append("{\"code\":\"").append(code).append("\",\"message\":");
  append_json_string(out, std::string(error.message.empty() ? describe(error.code).name : error.message).append(advice));
  out.append("}");
}

}  // namespace

std::string response_json(const answer_shape& shape, const responses_wish& wish, const response_state& state) {
  std::string out = "{\"id\":";
  append_json_string(out, shape.id);
  out.append(",\"object\":\"response\",\"created_at\":");
  append_json_integer(out, shape.created_s);
  out.append(",\"status\":\"").append(state.status).append("\",\"error\":");
  if (state.error != nullptr)
    append_error(out, *state.error);
  else
    out.append("null");
  out.append(",\"incomplete_details\":").append(state.status == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null");
  out.append(",\"model\":");
  append_json_string(out, shape.model);
  out.append(",\"output\":[").append(state.output).append("],").append(wish.echo).append(state.stored ? ",\"store\":true" : ",\"store\":false");
  if (state.usage != nullptr) {
    append_usage(out, shape, *state.usage);
    append_openai_hints(out, shape, *state.usage);
  }
  return out.append("}");
}

bool is_own_item(std::string_view item_id) {
  constexpr std::size_t digits = 16, index_digits_max = 5;
  const auto id = item_id.substr(std::min(item_id.size(), item_id.find('_') + 1));
  if (id.size() <= digits || id.size() > digits + index_digits_max) return false;
  const auto turn = id.substr(0, digits), index = id.substr(digits);
  return turn.find_first_not_of("0123456789abcdef") == turn.npos && index.find_first_not_of("0123456789") == index.npos;
}

std::string response_of_item(std::string_view item_id) {
  constexpr std::size_t digits = 16;
  const auto mark = item_id.find('_');
  if (mark == item_id.npos || item_id.size() <= mark + 1 + digits) return {};
  return std::string(response_prefix).append(item_id.substr(mark + 1, digits));
}

}  // namespace troupe::gateway
