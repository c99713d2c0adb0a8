#include "gateway/hint_sources.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <charconv>

namespace troupe::gateway {
namespace json = boost::json;
namespace {

struct spelling {
  std::string_view group, name;  ///< without a group: at the top of the hints
  hint_field field;
};

constexpr std::array spellings{
    spelling{"sched", "priority", hint_field::priority},
    spelling{"sched", "tier", hint_field::tier},
    spelling{"sched", "class", hint_field::urgency},
    spelling{"sched", "deadline_ms", hint_field::deadline_ms},
    spelling{"shape", "output_tokens", hint_field::output_tokens},
    spelling{"shape", "thinking_tokens", hint_field::thinking_tokens},
    spelling{"shape", "effort", hint_field::effort},
    spelling{"cache", "scope", hint_field::scope},
    spelling{"cache", "group", hint_field::group},
    spelling{"cache", "retain", hint_field::retain},
    spelling{"cache", "max_tier", hint_field::max_tier},
    spelling{"cache", "ttl_ms", hint_field::cache_ttl_ms},
    spelling{"pause", "kind", hint_field::pause_kind},
    spelling{"pause", "expect_ms", hint_field::pause_ms},
    spelling{"pause", "tools", hint_field::pause_tools},
    spelling{"next", "prefill", hint_field::prefill},
    spelling{"next", "resume_at_ms", hint_field::resume_at_ms},
    spelling{"next", "branch_of", hint_field::branch_of},
    spelling{"id", "agent", hint_field::agent},
    spelling{"id", "turn", hint_field::turn},
    spelling{"id", "kind", hint_field::kind},
    spelling{"id", "final", hint_field::final_turn},
    spelling{"", "priority", hint_field::priority},
    spelling{"", "strict_priority", hint_field::tier},
    spelling{"", "osl", hint_field::output_tokens},
    spelling{"", "pause_ms", hint_field::pause_ms},
    spelling{"", "speculative_prefill", hint_field::prefill},
    spelling{"", "final", hint_field::final_turn},
};

struct header_spelling {
  std::string_view name;  ///< behind "x-agent-"
  hint_field field;
};

constexpr std::array headers{
    header_spelling{"priority", hint_field::priority},
    header_spelling{"tier", hint_field::tier},
    header_spelling{"class", hint_field::urgency},
    header_spelling{"deadline-ms", hint_field::deadline_ms},
    header_spelling{"output-tokens", hint_field::output_tokens},
    header_spelling{"thinking-tokens", hint_field::thinking_tokens},
    header_spelling{"cache-scope", hint_field::scope},
    header_spelling{"cache-group", hint_field::group},
    header_spelling{"max-tier", hint_field::max_tier},
    header_spelling{"cache-ttl-ms", hint_field::cache_ttl_ms},
    header_spelling{"pause-kind", hint_field::pause_kind},
    header_spelling{"pause-ms", hint_field::pause_ms},
    header_spelling{"prefill", hint_field::prefill},
    header_spelling{"resume-at-ms", hint_field::resume_at_ms},
    header_spelling{"kind", hint_field::kind},
    header_spelling{"final", hint_field::final_turn},
};

constexpr std::string_view header_prefix = "x-agent-";
constexpr std::array<std::string_view, 6> groups{"id", "sched", "shape", "cache", "pause", "next"};
constexpr std::array<std::string_view, 3> names_of_sessions{"session", "session_id", "parent"};  // identity's

bool is_group(std::string_view key) { return std::ranges::find(groups, key) != groups.end(); }
bool is_identity(std::string_view group, std::string_view key) {
  return (group.empty() || group == "id") && std::ranges::find(names_of_sessions, key) != names_of_sessions.end();
}

/// Older: seconds by which a request may jump its queue.
bool read_latency(std::string_view key, const json::value& value, const std::string& path, hint_reading& into) {
  if (key != "latency_sensitivity") return false;
  if (!value.is_number()) return into.ignore(path, "must be a number"), true;
  const auto priority = static_cast<std::int64_t>(std::clamp(value.to_number<double>(), -1e6, 1e6));
  into.take(hint_field::priority, json::value(priority), {path});
  return true;
}

void read_members(const json::object& object, std::string_view group, const hint_origin& from, hint_reading& into) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    const auto path = from.path + "." + std::string(key);
    const auto found = std::ranges::find_if(spellings, [&](const spelling& each) { return each.group == group && each.name == key; });
    if (found != spellings.end()) {
      into.take(found->field, member.value(), {path, from.strict});
    } else if (group.empty() && is_group(key)) {
      if (member.value().is_object() || member.value().is_null()) continue;
      first_failure own;
      refuse_type(from.strict != nullptr ? *from.strict : own, path, "an object");
      if (own.any()) into.ignore(path, own.get().message);
    } else if (!is_identity(group, key) && !(group.empty() && (key == "echo" || read_latency(key, member.value(), path, into)))) {
      into.ignore(path, "is not known");
    }
  }
}

void read_echo(const json::object& hints, const hint_origin& from, hint_reading& into) {
  const auto* echo = hints.if_contains("echo");
  if (echo == nullptr || echo->is_null()) return;
  if (const auto* flag = echo->if_bool())
    into.wants_echo = *flag;
  else if (from.strict != nullptr)
    refuse_type(*from.strict, from.path + ".echo", "true or false");
  else
    into.ignore(from.path + ".echo", "must be true or false");
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

/// Numbers and flags as JSON has them; 1 and 0 are flags where the field is one.
json::value value_of(hint_field field, std::string_view text) {
  const bool is_flag = field == hint_field::prefill || field == hint_field::final_turn;
  if (is_flag && (text == "true" || text == "1")) return true;
  if (is_flag && (text == "false" || text == "0")) return false;
  const bool is_text = field == hint_field::scope || field == hint_field::group;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!is_text && error == std::errc{} && end == text.data() + text.size()) return number;
  return json::string_view(text.data(), text.size());
}

}  // namespace

void read_agent_hints(const json::object& hints, const hint_origin& from, hint_reading& into) {
  read_echo(hints, from, into);
  for (const auto group : groups) {
    const auto* members = hints.if_contains(json::string_view(group.data(), group.size()));
    if (members == nullptr || !members->is_object()) continue;
    read_members(members->get_object(), group, {from.path + "." + std::string(group), from.strict}, into);
  }
  read_members(hints, "", from, into);
}

void read_hint_headers(const http_request& request, hint_reading& into) {
  for (const auto& field : request.fields) {
    if (!starts_with_ignoring_case(field.name, header_prefix)) continue;
    const auto name = std::string_view(field.name).substr(header_prefix.size());
    const auto found = std::ranges::find_if(headers, [&](const header_spelling& each) { return equals_ignoring_case(each.name, name); });
    if (found != headers.end())
      into.take(found->field, value_of(found->field, field.value), {std::string(header_prefix) + std::string(found->name)});
    else if (equals_ignoring_case(name, "hints-echo"))
      into.wants_echo = field.value == "1" || field.value == "true";
    else
      into.ignore(field.name, "is not known");
  }
}

hint_reading read_body_hints(const json::object& body, first_failure& failed) {
  hint_reading reading;
  const json_reader reader(body, "", failed);
  if (const auto* hints = reader.object("agent_hints")) read_agent_hints(*hints, {"agent_hints", &failed}, reading);
  read_nvext(body, reading);
  return reading;
}

hint_reading read_all_hints(const http_request& request, const json::object& body, first_failure& failed) {
  auto reading = read_body_hints(body, failed);
  read_hint_headers(request, reading);
  read_foreign_hints(body, reading);
  return reading;
}

}  // namespace troupe::gateway
