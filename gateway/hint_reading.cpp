#include "gateway/hint_reading.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/cache_hints.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

struct field_fact {
  std::string_view name;
  std::string_view without_effect;  ///< why; empty: it has one
};

constexpr std::array<field_fact, hint_fields> facts{{
    {"sched.priority", {}},
    {"sched.tier", {}},
    {"sched.class", {}},
    {"sched.deadline_ms", "orders no queue here; x-request-timeout-ms ends a turn"},
    {"shape.output_tokens", {}},
    {"shape.thinking_tokens", {}},
    {"shape.effort", "says too little of an answer's length"},
    {"cache.scope", {}},
    {"cache.group", {}},
    {"cache.retain", {}},
    {"cache.max_tier", {}},
    {"cache.ttl_ms", {}},
    {"pause.kind", "is read from the answer's calls"},
    {"pause.expect_ms", {}},
    {"pause.tools", "are read from the answer's calls"},
    {"next.prefill", {}},
    {"next.resume_at_ms", {}},
    {"next.branch_of", "is not needed: blocks are found by what they hold"},
    {"id.agent", "is not needed: an agent is a session, named by id.session"},
    {"id.turn", "is not needed: x-request-id names a turn"},
    {"id.kind", {}},
    {"id.final", {}},
}};

const field_fact& fact_of(hint_field field) noexcept { return facts[static_cast<std::size_t>(field)]; }

template <std::size_t count>
std::size_t find_word(const std::array<std::string_view, count>& words, const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return count;
  return static_cast<std::size_t>(std::ranges::find(words, std::string_view(*text)) - words.begin());
}

constexpr std::array<std::string_view, 3> classes{"background", "normal", "interactive"};
constexpr std::array<std::string_view, 4> tiers{"device", "host", "disk", "remote"};
constexpr std::array<std::string_view, 4> pauses{"tool", "human", "child", "none"};
constexpr std::array<std::string_view, 3> kinds{"root", "subagent", "side"};

bool refuse(first_failure& failed, const std::string& path, std::string_view expected) {
  refuse_type(failed, path, expected);
  return false;
}

bool write_flag(const json::value& value, const std::string& path, first_failure& failed, bool& out) {
  const auto* flag = value.if_bool();
  if (flag == nullptr) return refuse(failed, path, "true or false");
  out = *flag;
  return true;
}

}  // namespace

std::string_view name_of(hint_field field) noexcept { return fact_of(field).name; }

void hint_reading::take(hint_field field, const json::value& value, const hint_origin& from) {
  if (value.is_null()) return;
  auto& said_by = said_by_[static_cast<std::size_t>(field)];
  if (!said_by.empty()) return ignore(from.path, "is said by " + said_by + " already");
  first_failure own;
  const bool is_written = write(field, value, from.path, from.strict != nullptr ? *from.strict : own);
  if (own.any()) ignore(from.path, own.get().message);
  if (!is_written) return;
  said_by = from.path;
  const bool is_plain_kind = field == hint_field::kind && !hints.is_side;
  if (is_plain_kind) return ignore(from.path, "is not needed: id.parent says who is a child");
  if (const auto why = fact_of(field).without_effect; !why.empty()) return ignore(from.path, why);
  report.apply(name_of(field), json::serialize(value));
}

bool hint_reading::write(hint_field field, const json::value& value, const std::string& path, first_failure& failed) {
  switch (field) {
    case hint_field::prefill:
      return write_flag(value, path, failed, hints.speculate);
    case hint_field::final_turn:
      return write_flag(value, path, failed, hints.final_turn);
    case hint_field::retain:
      return write_retain(value, path, failed);
    case hint_field::pause_tools:
      return value.is_array() || refuse(failed, path, "an array");
    case hint_field::priority:
    case hint_field::tier:
    case hint_field::deadline_ms:
    case hint_field::output_tokens:
    case hint_field::thinking_tokens:
    case hint_field::cache_ttl_ms:
    case hint_field::pause_ms:
    case hint_field::resume_at_ms:
      return write_number(field, value, path, failed);
    default:
      return write_text(field, value, path, failed);
  }
}

bool hint_reading::write_number(hint_field field, const json::value& value, const std::string& path, first_failure& failed) {
  integer_range range{0, UINT32_MAX};
  if (field == hint_field::priority) range = {INT32_MIN, INT32_MAX};
  if (field == hint_field::resume_at_ms) range.max = INT64_MAX;
  const auto number = read_integer(value, path, range, failed);
  if (!number) return false;
  const auto whole = static_cast<std::uint32_t>(*number);
  switch (field) {
    case hint_field::priority:
      hints.priority = static_cast<std::int32_t>(*number);
      break;
    case hint_field::tier:
      hints.tier = whole;
      break;
    case hint_field::output_tokens:
    case hint_field::thinking_tokens:  // an answer is as long as its reasoning at least
      hints.output_tokens = std::max(hints.output_tokens, whole);
      break;
    case hint_field::cache_ttl_ms:
      hints.cache_ttl_ms = whole;
      break;
    case hint_field::pause_ms:
      hints.pause_ms = whole;
      break;
    case hint_field::resume_at_ms:
      hints.resume_at_ms = *number;
      break;
    default:
      break;
  }
  return true;
}

bool hint_reading::write_text(hint_field field, const json::value& value, const std::string& path, first_failure& failed) {
  const auto choose = [&](const auto& words, std::string_view expected, auto& out) {
    const auto at = find_word(words, value);
    if (at == words.size()) return refuse(failed, path, expected);
    out = static_cast<std::decay_t<decltype(out)>>(at);
    return true;
  };
  std::size_t unused = 0;
  switch (field) {
    case hint_field::urgency:
      return choose(classes, "interactive, normal or background", hints.urgency);
    case hint_field::max_tier:
      return choose(tiers, "device, host, disk or remote", hints.max_tier);
    case hint_field::pause_kind:
      return choose(pauses, "tool, human, child or none", unused);
    case hint_field::kind:
      if (!choose(kinds, "root, subagent or side", unused)) return false;
      hints.is_side = kinds[unused] == "side";
      return true;
    default:
      break;
  }
  const auto* text = value.if_string();
  if (text == nullptr) return refuse(failed, path, "a string");
  if (field == hint_field::scope) scope.assign(text->data(), text->size());
  if (field == hint_field::group) group.assign(text->data(), text->size());
  return true;
}

bool hint_reading::write_retain(const json::value& value, const std::string& path, first_failure& failed) {
  const auto* ranges = value.if_array();
  if (ranges == nullptr) return refuse(failed, path, "an array");
  retain_wishes wishes;
  first_failure wrong;
  read_retain(*ranges, path, wishes, wrong);
  if (wrong.any()) {
    failed.report(wrong.get().code, wrong.get().message, wrong.get().param);
    return false;
  }
  hints.retain = std::move(wishes.ranges);
  marks = std::move(wishes.marks);
  for (const auto& each : wishes.of_answers) ignore(each, "the next prompt says what of an answer is kept");
  return true;
}

}  // namespace troupe::gateway
