#include "gateway/cache_hints.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <chrono>
#include <cmath>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

constexpr std::uint32_t openai_ttl_ms = 30 * 60 * 1000;  // of a breakpoint that names none, as OpenAI's

std::uint32_t ms_of(std::chrono::milliseconds wait) { return static_cast<std::uint32_t>(wait.count()); }

bool read_mark(const json_reader& range, std::uint32_t ttl_ms, retain_wishes& out) {
  const auto* at = range.object("at");
  if (at == nullptr) return false;
  message_mark mark{0, UINT32_MAX, ttl_ms};
  const json_reader reader(*at, range.path_of("at"), range.failed());
  if (!reader.read("message", mark.message, {})) reader.refuse("message", "is missing");
  reader.read("block", mark.block, {});
  out.marks.push_back(mark);
  return true;
}

void read_wish(const json_reader& range, const std::string& path, retain_wishes& out) {
  retain_range wish;
  wish.ttl_ms = ms_of(limits::wish_ttl);
  const auto either = [&](std::string_view ours, std::string_view theirs, auto& into, integer_range bounds) {
    if (!range.read(ours, into, bounds)) range.read(theirs, into, bounds);
  };
  either("start", "token_start", wish.token_begin, {});
  either("end", "token_end", wish.token_end, {});
  either("weight", "priority", wish.priority, {0, core::rank_max});
  either("ttl_ms", "duration_ms", wish.ttl_ms, {});
  std::string phase = "prompt";
  range.read("phase", phase);
  if (phase != "prompt" && phase != "decode") range.refuse("phase", "must be prompt or decode");
  if (wish.token_end != 0 && wish.token_begin >= wish.token_end) range.refuse("end", "must be greater than start");
  if (phase == "decode") return out.of_answers.push_back(path);
  if (!read_mark(range, wish.ttl_ms, out)) out.ranges.push_back(wish);
}

/// OpenAI's. Whoever sends it wants an answer first.
std::uint32_t read_openai_breakpoint(const json_reader& part) {
  const auto* value = part.find("prompt_cache_breakpoint");
  const auto* mark = value == nullptr ? nullptr : value->if_object();
  if (mark == nullptr) return 0;
  const auto* ttl = mark->if_contains("ttl");
  return ttl == nullptr ? openai_ttl_ms : read_duration_ms(*ttl).value_or(openai_ttl_ms);
}

}  // namespace

void read_retain(const boost::json::array& ranges, const std::string& path, retain_wishes& out, first_failure& failed) {
  if (ranges.size() > limits::wishes_per_session_max)
    return refuse_type(failed, path, "at most " + std::to_string(limits::wishes_per_session_max) + " entries");
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto at = index_path(path, i);
    const auto* range = ranges[i].if_object();
    if (range == nullptr) return refuse_type(failed, at, "an object");
    read_wish(json_reader(*range, at, failed), at, out);
  }
}

std::optional<std::uint32_t> read_duration_ms(const boost::json::value& value) {
  double seconds = -1;
  if (value.is_number()) {
    seconds = value.to_number<double>();
  } else if (const auto* text = value.if_string()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    const std::string_view unit(end, static_cast<std::size_t>(text->data() + text->size() - end));
    if (error != std::errc{} || (unit != "s" && unit != "m" && unit != "h")) return std::nullopt;
    seconds *= unit == "h" ? 3600 : unit == "m" ? 60 : 1;
  }
  if (!(seconds >= 0)) return std::nullopt;
  return static_cast<std::uint32_t>(std::min(std::round(seconds * 1000), double{UINT32_MAX}));
}

std::uint32_t read_cache_breakpoint(const json_reader& part) {
  const auto* control = part.object("cache_control");
  if (control == nullptr) return read_openai_breakpoint(part);
  const json_reader reader(*control, part.path_of("cache_control"), part.failed());
  std::string type, ttl = "5m";
  if (!reader.read("type", type) || type != "ephemeral") {
    reader.refuse("type", "must be \"ephemeral\"");
    return 0;
  }
  reader.read("ttl", ttl);
  if (ttl == "5m") return ms_of(std::chrono::minutes{5});
  if (ttl == "1h") return ms_of(std::chrono::hours{1});
  reader.refuse("ttl", "must be \"5m\" or \"1h\"");
  return 0;
}

}  // namespace troupe::gateway
