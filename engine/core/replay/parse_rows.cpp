// Mooncake rows, {timestamp ms, input_length, output_length, hash_ids[]}, and agentic ones, which add {request_id, session_id,
// wait_for[], delay ms, tool_wait_ms}. Block ids are global to the file.
#include <algorithm>
#include <cmath>

#include "engine/core/replay/json_events.hpp"
#include "engine/core/replay/trace_parsers.hpp"

namespace troupe::core::replay {
namespace {

constexpr std::uint32_t mooncake_block_tokens = 512, agentic_block_tokens = 64;  // neither format says it in the file
constexpr double service_s = 5;  // rows do not say how long an answer took; session files without api_time count the same

/// The keys of a row, whichever format it has.
class row_events : public json_events {
 public:
  bool start_object(std::size_t) { return nest(); }
  bool end_object() { return unnest(); }
  bool start_array(std::size_t) { return nest(); }
  bool end_array() { return unnest(); }
  bool key(std::string& name) {
    if (depth_ == 1) key_ = name;
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (depth_ == 2 && key_ == "hash_ids") {
      ids.push_back(value);
      return true;
    }
    return number(static_cast<double>(value));
  }
  bool number_integer(std::int64_t value) { return number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) { return number(value); }
  bool string(std::string& text) {
    if (key_ == "hash_ids") return refuse("a block id must be a whole number, not negative");
    if (depth_ == 2 && key_ == "wait_for") wait_for.push_back(text);
    if (depth_ == 1 && key_ == "request_id") id = text;
    if (depth_ == 1 && key_ == "session_id") session = text;
    return true;
  }

  std::string id, session;
  std::vector<std::string> wait_for;
  std::vector<std::uint64_t> ids;
  double timestamp_ms = 0, delay_ms = 0, tool_wait_ms = 0, input_length = 0, output_length = 0;
  bool has_time = false;

 private:
  bool nest() {
    if (depth_++ == 0 || depth_ <= 3) return true;
    return depth_ < 64 || refuse("nested too deeply");
  }
  bool unnest() {
    --depth_;
    return true;
  }
  bool number(double value) {
    if (key_ == "hash_ids") return refuse("a block id must be a whole number, not negative");
    if (depth_ != 1) return true;
    if (!std::isfinite(value)) return refuse("\"" + key_ + "\" is not finite");
    if (key_ == "timestamp") has_time = true;
    for (const auto& [name, at] :
         {std::pair("timestamp", &timestamp_ms), std::pair("delay", &delay_ms), std::pair("tool_wait_ms", &tool_wait_ms),
          std::pair("input_length", &input_length), std::pair("output_length", &output_length)})
      if (key_ == name) {
        if (value < 0 || value > 1e15) return refuse("\"" + key_ + "\" is out of range");
        *at = value;
      }
    return true;
  }
  int depth_ = 0;
  std::string key_;
};

recorded_request request_of(const row_events& row, path_builder& paths, block_forest& blocks) {
  recorded_request request;
  request.last = paths.add(blocks, row.ids);
  request.blocks = static_cast<std::uint32_t>(row.ids.size());
  request.input_tokens = static_cast<std::uint32_t>(std::min(row.input_length, 4e9));
  request.output_tokens = static_cast<std::uint32_t>(std::min(row.output_length, 4e9));
  return request;
}

}  // namespace

std::optional<failure> mooncake_parser::add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into) {
  row_events row;
  if (auto problem = parse_json(name, line, row, number)) return problem;
  if (!row.has_time) return trace_failure(name, line, 0, "a row needs its \"timestamp\"", number);
  into.block_tokens = mooncake_block_tokens;
  if (into.sessions.empty()) into.sessions.emplace_back();
  auto request = request_of(row, paths_, into.blocks);
  request.at_s = row.timestamp_ms / 1000;
  into.sessions[0].requests.push_back(request);
  return std::nullopt;
}

std::optional<failure> agentic_parser::add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into) {
  row_events read;
  if (auto problem = parse_json(name, line, read, number)) return problem;
  if (read.id.empty() || read.session.empty())
    return trace_failure(name, line, 0, "a row needs its \"request_id\" and \"session_id\"", number);
  if (!by_id_.emplace(read.id, rows_.size()).second)
    return trace_failure(name, line, 0, "request id \"" + read.id + "\" comes twice", number);
  if (read.wait_for.empty() && !read.has_time)
    return trace_failure(name, line, 0, "a row needs a \"timestamp\" or something to wait for", number);
  into.block_tokens = agentic_block_tokens;
  const auto [known, is_new] = sessions_.emplace(read.session, into.sessions.size());
  if (is_new) into.sessions.emplace_back().name = read.session;
  row& made = rows_.emplace_back();
  made.id = read.id;
  made.session = known->second;
  made.request = request_of(read, paths_, into.blocks);
  made.request.input = !read.wait_for.empty() && read.tool_wait_ms > 0 ? input_kind::tool_result : input_kind::person;
  made.wait_for = std::move(read.wait_for);
  made.at_s = read.timestamp_ms / 1000;
  made.delay_s = (read.delay_ms + read.tool_wait_ms) / 1000;
  made.where = name + ":" + std::to_string(number);
  return std::nullopt;
}

std::optional<failure> agentic_parser::finish(recorded_trace& into) {
  std::vector<std::vector<std::size_t>> waiters(rows_.size());
  std::vector<std::size_t> missing(rows_.size()), ready;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const auto& id : rows_[i].wait_for) {
      const auto found = by_id_.find(id);
      if (found == by_id_.end())
        return failure{errc::corrupt_data, rows_[i].where + ": waits for \"" + id + "\", which is not in the trace", {}};
      waiters[found->second].push_back(i);
      ++missing[i];
    }
    if (missing[i] == 0) ready.push_back(i);
  }
  std::vector<double> complete(rows_.size());
  std::size_t done = 0;
  while (done < ready.size()) {
    const std::size_t at = ready[done++];
    row& each = rows_[at];
    each.request.at_s = each.wait_for.empty() ? each.at_s : complete[at] + each.delay_s;
    each.request.service_s = service_s;
    for (const std::size_t waiter : waiters[at]) {
      complete[waiter] = std::max(complete[waiter], each.request.at_s + service_s);
      if (--missing[waiter] == 0) ready.push_back(waiter);
    }
  }
  if (done < rows_.size()) {
    const auto stuck = std::find_if(missing.begin(), missing.end(), [](std::size_t count) { return count > 0; });
    return failure{errc::corrupt_data, rows_[static_cast<std::size_t>(stuck - missing.begin())].where + ": waits for itself", {}};
  }
  for (const auto& each : rows_) into.sessions[each.session].requests.push_back(each.request);
  for (auto& session : into.sessions) sort_by_time(session);
  rows_.clear();
  return std::nullopt;
}

}  // namespace troupe::core::replay
