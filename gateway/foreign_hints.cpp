// What engines and vendors call the fields of our hints: vLLM, SGLang, TensorRT-LLM, Dynamo, OpenAI, Anthropic. Facts about them, no policy.
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "gateway/cache_hints.hpp"
#include "gateway/hint_sources.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

const json::value* value_in(const json::object* object, std::string_view key) {
  const auto* value = object == nullptr ? nullptr : object->if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::object* object_in(const json::object* object, std::string_view key) {
  const auto* value = value_in(object, key);
  return value == nullptr ? nullptr : value->if_object();
}

/// A member that is a field of ours under another name.
void take_member(const json::object* object, std::string_view path, std::string_view key, hint_field field, hint_reading& into) {
  const auto* value = value_in(object, key);
  if (value == nullptr) return;
  into.take(field, *value, {path.empty() ? std::string(key) : std::string(path) + "." + std::string(key)});
}

struct without_effect {
  std::string_view key, why;
};

void note_ignored(const json::object* object, std::string_view path, std::span<const without_effect> members, hint_reading& into) {
  for (const auto& each : members)
    if (value_in(object, each.key) != nullptr) into.ignore(path.empty() ? std::string(each.key) : std::string(path) + "." + std::string(each.key), each.why);
}

/// That the whole prompt stays for a while, with the weight of a cache breakpoint.
void take_ttl(const json::value& ttl, const std::string& path, hint_reading& into) {
  const auto wait_ms = read_duration_ms(ttl);
  if (!wait_ms) return into.ignore(path, "must be a time such as 5m or 1h");
  json::object range{{"weight", limits::breakpoint_priority}, {"ttl_ms", std::int64_t{*wait_ms}}};  // as a parser would have read it
  into.take(hint_field::retain, json::array{std::move(range)}, {path});
}

/// {"type": "ephemeral", "ttl": "5m" or seconds}
void take_cache_control(const json::object* control, const std::string& path, hint_reading& into) {
  if (control == nullptr) return;
  const auto* ttl = value_in(control, "ttl");
  take_ttl(ttl == nullptr ? json::value("5m") : *ttl, path, into);
}

/// Lower is earlier there.
void take_vllm_priority(const json::object& body, hint_reading& into) {
  const auto* value = value_in(&body, "priority");
  if (value == nullptr) return;
  first_failure wrong;
  const auto number = read_integer(*value, "priority", {INT32_MIN + 1, INT32_MAX}, wrong);
  if (!number) return into.ignore("priority", wrong.get().message);
  into.take(hint_field::priority, json::value(-*number), {"priority"});
}

struct class_word {
  std::string_view word, urgency;
};
constexpr std::array tier_words{class_word{"priority", "interactive"}, class_word{"fast", "interactive"}, class_word{"scale", "normal"},
                                class_word{"standard_only", "normal"}, class_word{"standard", "normal"},  class_word{"flex", "background"},
                                class_word{"batch", "background"}};

/// `auto` and `default` leave it to the server.
void take_class(const json::object& body, std::string_view key, hint_reading& into) {
  const auto* value = value_in(&body, key);
  if (value == nullptr) return;
  const auto* text = value->if_string();
  if (text != nullptr && (*text == "auto" || *text == "default")) return;
  for (const auto& each : tier_words)
    if (text != nullptr && std::string_view(*text) == each.word)
      return into.take(hint_field::urgency, json::string(each.urgency.data(), each.urgency.size()), {std::string(key)});
  into.ignore(key, "is no class that is known");
}

void take_openai_cache(const json::object& body, hint_reading& into) {
  take_member(&body, "", "prompt_cache_key", hint_field::group, into);
  const auto* options = object_in(&body, "prompt_cache_options");
  const auto* mode = value_in(options, "mode");
  const bool is_explicit = mode != nullptr && mode->is_string() && mode->get_string() == "explicit";
  const auto* ttl = value_in(options, "ttl");
  if (ttl != nullptr && is_explicit) into.ignore("prompt_cache_options.ttl", "is for whole prompts; in explicit mode breakpoints say what is kept");
  if (ttl != nullptr && !is_explicit) take_ttl(*ttl, "prompt_cache_options.ttl", into);
  into.wants_diagnosis = value_in(options, "comparison_response_id") != nullptr;
  const auto* retention = value_in(&body, "prompt_cache_retention");
  const auto* word = retention == nullptr ? nullptr : retention->if_string();
  if (retention == nullptr) return;
  if (word != nullptr && (*word == "in_memory" || *word == "in-memory"))
    return into.take(hint_field::max_tier, json::value("host"), {"prompt_cache_retention"});
  take_ttl(*retention, "prompt_cache_retention", into);
}

void take_tensorrt(const json::object& body, hint_reading& into) {
  constexpr std::string_view path = "kv_cache_retention_config";
  constexpr std::string_view why = "the next prompt says what of an answer is kept";
  const auto* config = object_in(&body, path);
  take_member(config, path, "token_range_retention_configs", hint_field::retain, into);
  constexpr std::array members{without_effect{"decode_retention_priority", why}, without_effect{"decode_duration_ms", why},
                               without_effect{"transfer_mode", "is chosen here"}, without_effect{"directory", "is chosen here"}};
  note_ignored(config, path, members, into);
}

void take_anthropic(const json::object& body, hint_reading& into) {
  const auto* output = object_in(&body, "output_config");
  take_member(output, "output_config", "effort", hint_field::effort, into);
  constexpr std::array budgets{without_effect{"task_budget", "is a bound that is not kept, and no expectation"}};
  note_ignored(output, "output_config", budgets, into);
  constexpr std::array thinking{without_effect{"budget_tokens", "is a bound that is not kept, and no expectation"}};
  note_ignored(object_in(&body, "thinking"), "thinking", thinking, into);
}

void take_vllm_agent(const json::object& body, hint_reading& into) {
  const auto* hint = object_in(&body, "agent_hint");
  take_cache_control(object_in(hint, "cache_control"), "agent_hint.cache_control", into);
  constexpr std::array members{without_effect{"context_management", "is for POST /v1/sessions/{id}/events"}};
  note_ignored(hint, "agent_hint", members, into);
}

}  // namespace

void read_nvext(const json::object& body, hint_reading& into) {
  const auto* extension = object_in(&body, "nvext");
  if (extension == nullptr) return;
  if (const auto* hints = object_in(extension, "agent_hints"))
    read_agent_hints(*hints, {"nvext.agent_hints"}, into);
  else if (value_in(extension, "agent_hints") != nullptr)
    into.ignore("nvext.agent_hints", "must be an object");
  take_cache_control(object_in(extension, "cache_control"), "nvext.cache_control", into);
  constexpr std::string_view chosen = "is chosen by the router";
  constexpr std::array members{without_effect{"max_thinking_tokens", "is a bound that is not kept, and no expectation"},
                               without_effect{"backend_instance_id", chosen}, without_effect{"prefill_worker_id", chosen},
                               without_effect{"decode_worker_id", chosen}};
  note_ignored(extension, "nvext", members, into);
  constexpr std::array control{without_effect{"timeout", "session.idle_ttl_s says how long a session rests"}};
  note_ignored(object_in(extension, "session_control"), "nvext.session_control", control, into);
}

void read_foreign_hints(const json::object& body, hint_reading& into) {
  take_vllm_priority(body, into);
  take_member(&body, "", "cache_salt", hint_field::scope, into);
  take_member(&body, "", "extra_key", hint_field::scope, into);
  take_vllm_agent(body, into);
  take_tensorrt(body, into);
  take_openai_cache(body, into);
  take_class(body, "service_tier", into);
  take_class(body, "speed", into);
  take_anthropic(body, into);
  take_member(&body, "", "reasoning_effort", hint_field::effort, into);
  take_member(object_in(&body, "reasoning"), "reasoning", "effort", hint_field::effort, into);
  constexpr std::array members{without_effect{"kv_hints", "is taken at POST /v1/kv_hints alone"},
                               without_effect{"kv_transfer_params", "is chosen here"},
                               without_effect{"rid", "is not needed: x-request-id names a turn"},
                               without_effect{"max_thinking_tokens", "is a bound that is not kept, and no expectation"},
                               without_effect{"context_management", "is not done here: the history is the client's"}};
  note_ignored(&body, "", members, into);
}

}  // namespace troupe::gateway
