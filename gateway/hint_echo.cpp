#include "gateway/hint_echo.hpp"

#include "gateway/json_text.hpp"

namespace troupe::gateway {
namespace {

constexpr std::size_t header_bytes_max = 1'024;

/// `value` is JSON.
void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, name);
  out.push_back(':');
  out.append(value);
}

void append_names(std::string& out, std::string_view kind, const auto& hints, const auto& name_of_each) {
  out.append(kind).push_back('=');
  bool is_first = true;
  for (const auto& each : hints) {
    const std::string& name = name_of_each(each);
    if (out.size() + name.size() >= header_bytes_max) break;
    if (!is_first) out.push_back(',');
    is_first = false;
    for (const char letter : name) {
      const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
                            std::string_view("_-.[]").find(letter) != std::string_view::npos;
      out.push_back(is_plain ? letter : '?');
    }
  }
}

/// null, or {"reason":...,"<tokens>":N}
void append_miss(std::string& out, const cache_miss& miss, std::string_view tokens) {
  if (miss.reason == cache_miss_reason::none) {
    out.append("null");
    return;
  }
  out.append("{\"reason\":\"").append(to_string(miss.reason)).append("\",\"").append(tokens).append("\":");
  append_json_integer(out, miss.tokens);
  out.push_back('}');
}

}  // namespace

std::string hint_members(const hint_report& report) {
  std::string out = "\"applied\":{";
  for (const auto& each : report.applied()) append_member(out, each.name, each.value);
  out.append("},\"clipped\":{");
  for (const auto& each : report.clipped()) append_member(out, each.name, "{\"asked\":" + each.asked + ",\"given\":" + each.given + "}");
  out.append("},\"ignored\":{");
  for (const auto& each : report.ignored()) {
    std::string reason;
    append_json_string(reason, each.reason);
    append_member(out, each.spelling, reason);
  }
  out.push_back('}');
  return out;
}

std::string hint_header(const hint_report& report) {
  std::string out;
  append_names(out, "applied", report.applied(), [](const auto& each) -> const std::string& { return each.name; });
  append_names(out, ";clipped", report.clipped(), [](const auto& each) -> const std::string& { return each.name; });
  append_names(out, ";ignored", report.ignored(), [](const auto& each) -> const std::string& { return each.spelling; });
  return out;
}

void append_agent_hints(std::string& out, const answer_shape& shape, const turn_usage& usage) {
  if (shape.hints.empty()) return;
  out.append(",\"agent_hints\":{").append(shape.hints).append(",\"cache_miss\":");
  append_miss(out, usage.miss, "missed_tokens");
  out.push_back('}');
}

void append_openai_hints(std::string& out, const answer_shape& shape, const turn_usage& usage) {
  append_agent_hints(out, shape, usage);
  if (!shape.diagnose_cache) return;
  out.append(",\"prompt_cache_diagnostics\":{\"cache_miss\":");
  append_miss(out, usage.miss, "cache_missed_tokens");
  out.push_back('}');
}

}  // namespace troupe::gateway
