// A response repeats its request. Every member that the published schema requires is there whatever the client has said.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/responses_request.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

json::value member_or(const json::object& body, std::string_view key, json::value otherwise) {
  const auto* value = body.if_contains(key);
  return value == nullptr || value->is_null() ? std::move(otherwise) : *value;
}

json::object echo_reasoning(const json::object& body) {
  json::object given;
  if (const auto* reasoning = body.if_contains("reasoning"); reasoning != nullptr && reasoning->is_object())
    given = reasoning->get_object();
  return {{"effort", member_or(given, "effort", nullptr)}, {"summary", member_or(given, "summary", nullptr)}};
}

json::object echo_text(const json::object& body) {
  json::object result{{"format", json::object{{"type", "text"}}}};
  const auto* text = body.if_contains("text");
  if (text == nullptr || !text->is_object()) return result;
  if (const auto* verbosity = text->get_object().if_contains("verbosity"); verbosity != nullptr && verbosity->is_string())
    result["verbosity"] = *verbosity;
  return result;
}

}  // namespace

std::string echo_of(const json::object& body) {
  json::object echo{{"access_programs", nullptr},
                    {"background", false},
                    {"instructions", member_or(body, "instructions", nullptr)},
                    {"max_output_tokens", member_or(body, "max_output_tokens", nullptr)},
                    {"max_tool_calls", member_or(body, "max_tool_calls", nullptr)},
                    {"metadata", member_or(body, "metadata", json::object{})},
                    {"parallel_tool_calls", member_or(body, "parallel_tool_calls", true)},
                    {"previous_response_id", member_or(body, "previous_response_id", nullptr)},
                    {"reasoning", echo_reasoning(body)},
                    {"service_tier", "default"},
                    {"temperature", member_or(body, "temperature", 1)},
                    {"text", echo_text(body)},
                    {"tool_choice", member_or(body, "tool_choice", "auto")},
                    {"tools", member_or(body, "tools", json::array{})},
                    {"top_logprobs", member_or(body, "top_logprobs", 0)},
                    {"top_p", member_or(body, "top_p", 1)},
                    {"truncation", member_or(body, "truncation", "disabled")}};
  // Of these the schema knows no null.
  for (const std::string_view key : {"prompt_cache_key", "safety_identifier", "user"})
    if (const auto* value = body.if_contains(key); value != nullptr && value->is_string()) echo[key] = *value;
  const auto text = json::serialize(echo);
  return text.substr(1, text.size() - 2);
}

}  // namespace troupe::gateway
