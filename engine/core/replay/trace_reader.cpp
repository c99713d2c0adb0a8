#include "engine/core/replay/trace_reader.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "engine/core/replay/json_events.hpp"
#include "engine/core/replay/trace_parsers.hpp"

namespace troupe::core::replay {
namespace {

constexpr std::pair<std::string_view, trace_format> formats[] = {{"sessions", trace_format::sessions},
                                                                 {"mooncake", trace_format::mooncake},
                                                                 {"agentic", trace_format::agentic},
                                                                 {"trace", trace_format::trace}};

/// The keys of the first object, then it stops.
class first_keys : public json_events {
 public:
  bool start_object(std::size_t) { return ++depth_ > 0; }
  bool end_object() { return --depth_ > 0; }
  bool start_array(std::size_t) { return ++depth_ > 0; }
  bool end_array() { return --depth_ > 0; }
  bool key(std::string& name) {
    if (depth_ == 1) keys.push_back(name);
    return true;
  }
  bool number_unsigned(std::uint64_t) { return true; }
  std::vector<std::string> keys;

 private:
  int depth_ = 0;
};

template <class Parser>
std::optional<failure> add_lines(Parser& parser, const std::string& name, std::string_view text, recorded_trace& into) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (auto problem = parser.add_line(name, line, number, into)) return problem;
  }
  return std::nullopt;
}

}  // namespace

void sort_by_time(recorded_session& session) {
  std::stable_sort(session.requests.begin(), session.requests.end(), [](const auto& a, const auto& b) { return a.at_s < b.at_s; });
}

std::optional<trace_format> trace_format_of(std::string_view name) {
  for (const auto& [known, format] : formats)
    if (known == name) return format;
  return std::nullopt;
}

std::vector<std::string_view> trace_format_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, format] : formats) names.push_back(name);
  return names;
}

std::optional<trace_format> guess_trace_format(std::string_view text) {
  first_keys events;
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  const auto has = [&](const char* key) { return std::find(events.keys.begin(), events.keys.end(), key) != events.keys.end(); };
  if (has("requests")) return trace_format::sessions;
  if (has("session_id") && has("hash_ids")) return trace_format::agentic;
  if (has("hash_ids")) return trace_format::mooncake;
  if (has("type") && has("at_ms")) return trace_format::trace;
  return std::nullopt;
}

struct trace_reader::state {
  trace_format format;
  recorded_trace trace;
  mooncake_parser mooncake;
  agentic_parser agentic;
  turn_parser turns;
};

trace_reader::trace_reader(trace_format format) : state_(std::make_unique<state>()) { state_->format = format; }
trace_reader::~trace_reader() = default;

std::optional<failure> trace_reader::add(const std::string& name, std::string_view text) {
  state& s = *state_;
  switch (s.format) {
    case trace_format::sessions:
      return parse_session(name, text, s.trace);
    case trace_format::mooncake:
      return add_lines(s.mooncake, name, text, s.trace);
    case trace_format::agentic:
      return add_lines(s.agentic, name, text, s.trace);
    case trace_format::trace:
      return add_lines(s.turns, name, text, s.trace);
  }
  return std::nullopt;
}

expected<recorded_trace> trace_reader::finish() {
  state& s = *state_;
  if (s.format == trace_format::agentic)
    if (auto problem = s.agentic.finish(s.trace)) return *problem;
  if (s.format == trace_format::trace) s.turns.finish(s.trace);
  if (s.format == trace_format::mooncake)
    for (auto& session : s.trace.sessions) sort_by_time(session);
  s.trace.has_sessions = s.format != trace_format::mooncake;
  if (s.trace.sessions.empty()) return failure{errc::corrupt_data, "the trace holds no request", {}};
  if (s.format != trace_format::sessions) {  // their times are those of one clock: the recorded order starts at zero
    double first = std::numeric_limits<double>::infinity();
    for (auto& session : s.trace.sessions) first = std::min(first, session.requests.front().at_s);
    for (auto& session : s.trace.sessions) {
      session.begin_s = session.requests.front().at_s - first;
      const double begin = session.requests.front().at_s;
      for (auto& request : session.requests) request.at_s -= begin;
    }
  }
  s.trace.blocks.finish();
  return std::move(s.trace);
}

}  // namespace troupe::core::replay
