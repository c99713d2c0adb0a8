// A session file: {id, block_size, requests: [request | {type: "subagent", t, requests: [request]}]}. Times of a subagent's requests
// are relative to its entry.
#include <array>
#include <cmath>

#include "engine/core/replay/json_events.hpp"
#include "engine/core/replay/trace_parsers.hpp"

namespace troupe::core::replay {
namespace {

enum class level : std::uint8_t { document, requests, request, ids, inputs, outputs, other };

struct draft {
  recorded_request request;
  bool is_subagent = false, has_time = false;
  std::size_t first_inner = 0;  ///< of the session's requests
};

class session_events : public json_events {
 public:
  session_events(recorded_trace& trace, std::string name) : trace_(trace), scope_(trace.sessions.size() << 32) {
    session.name = std::move(name);
  }

  bool start_object(std::size_t) {
    if (levels_.empty()) return push(level::document);
    if (levels_.back() != level::requests) return push(level::other);
    drafts_.emplace_back().first_inner = session.requests.size();
    return push(level::request);
  }
  bool end_object() {
    const level ended = pop();
    return ended != level::request || end_request();
  }
  bool start_array(std::size_t) {
    const level now = levels_.empty() ? level::other : levels_.back();
    if (key_ == "requests" && now == level::document) return push(level::requests);
    if (key_ == "requests" && now == level::request) return begin_agent();
    if (now != level::request) return push(level::other);
    if (key_ == "hash_ids") {
      ids_.clear();
      return push(level::ids);
    }
    return push(key_ == "input_types" ? level::inputs : key_ == "output_types" ? level::outputs : level::other);
  }
  bool end_array() {
    if (pop() == level::requests && agents_.size() > 1) agents_.pop_back();
    return true;
  }
  bool key(std::string& name) {
    key_ = name;
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (!levels_.empty() && levels_.back() == level::ids) {
      if (value >> 32 != 0) return refuse("a block id of a session file is larger than 32 bits");
      ids_.push_back(scope_ | value);
      return true;
    }
    return number(static_cast<double>(value));
  }
  bool number_integer(std::int64_t value) { return number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) { return number(value); }
  bool string(std::string& text);

  recorded_session session;
  double block_tokens = 0;

 private:
  bool push(level next) {
    levels_.push_back(next);
    return true;
  }
  level pop() {
    const level ended = levels_.back();
    levels_.pop_back();
    return ended;
  }
  bool begin_agent() {
    session.parents.push_back(agents_.back());
    agents_.push_back(static_cast<std::uint32_t>(session.parents.size() - 1));
    return push(level::requests);
  }
  bool number(double value);
  bool end_request();

  recorded_trace& trace_;
  std::uint64_t scope_;
  std::vector<level> levels_;
  std::vector<draft> drafts_;
  std::vector<std::uint32_t> agents_{0};  ///< whose requests are being read, the lead first
  std::string key_;
  std::vector<std::uint64_t> ids_;
  path_builder paths_;
};

bool session_events::number(double value) {
  const level now = levels_.empty() ? level::other : levels_.back();
  if (now == level::ids) return refuse("a block id must be a whole number, not negative");
  if (now == level::document && key_ == "block_size") block_tokens = value;
  if (now != level::request) return true;
  draft& at = drafts_.back();
  const auto take_tokens = [&](std::uint32_t& tokens) {
    if (!(value >= 0 && value < 4e9)) return refuse("\"" + key_ + "\" must be a number of tokens");
    tokens = static_cast<std::uint32_t>(value);
    return true;
  };
  if (key_ == "t") {
    at.request.at_s = value;
    at.has_time = true;
  } else if (key_ == "api_time") {
    at.request.service_s = std::max(value, 0.0);
  } else if (key_ == "in") {
    return take_tokens(at.request.input_tokens);
  } else if (key_ == "out") {
    return take_tokens(at.request.output_tokens);
  }
  return true;
}

bool session_events::string(std::string& text) {
  const level now = levels_.empty() ? level::other : levels_.back();
  if (now == level::document && key_ == "id") session.name = text;
  if (now == level::ids) return refuse("a block id must be a whole number, not negative");
  if (drafts_.empty()) return true;
  recorded_request& request = drafts_.back().request;
  if (now == level::inputs) {
    if (text == "tool_result")
      request.input = input_kind::tool_result;
    else if (request.input == input_kind::unknown)
      request.input = input_kind::person;
  } else if (now == level::outputs) {
    if (text == "tool_use") request.end = answer_end::tool_calls;
  } else if (now == level::request && key_ == "type") {
    drafts_.back().is_subagent = text == "subagent";
  } else if (now == level::request && key_ == "stop") {
    if (text == "tool_use") request.end = answer_end::tool_calls;
    if (text == "end_turn" || text == "stop_sequence") request.end = answer_end::stop;
    if (text == "max_tokens") request.end = answer_end::length;
  }
  return true;
}

bool session_events::end_request() {
  draft ended = drafts_.back();
  drafts_.pop_back();
  if (!ended.has_time || !std::isfinite(ended.request.at_s)) return refuse("a request needs its time, \"t\"");
  if (ended.is_subagent) {
    for (std::size_t i = ended.first_inner; i < session.requests.size(); ++i) session.requests[i].at_s += ended.request.at_s;
    return true;
  }
  ended.request.last = paths_.add(trace_.blocks, ids_);
  ended.request.blocks = static_cast<std::uint32_t>(ids_.size());
  ended.request.agent = agents_.back();
  ids_.clear();
  session.requests.push_back(ended.request);
  return true;
}

}  // namespace

std::optional<failure> parse_session(const std::string& name, std::string_view text, recorded_trace& into) {
  session_events events(into, name);
  if (auto problem = parse_json(name, text, events)) return problem;
  if (events.session.requests.empty()) return std::nullopt;
  const auto width = static_cast<std::uint32_t>(std::clamp(events.block_tokens, 0.0, 1e6));
  if (into.block_tokens == 0) into.block_tokens = width;
  if (width != into.block_tokens)
    return trace_failure(name, text, 0,
                         "blocks of " + std::to_string(width) + " tokens, the sessions before have " + std::to_string(into.block_tokens));
  sort_by_time(events.session);
  into.sessions.push_back(std::move(events.session));
  return std::nullopt;
}

}  // namespace troupe::core::replay
