// Our own request traces: {"type": "turn", at_ms, session, prompt_tokens, output_tokens, total_s, how, tools?} and lifecycle verbs. A
// record is written when its turn has ended; "tools" are the names of the tools that the answer calls.
#include <algorithm>

#include "engine/core/replay/json_events.hpp"
#include "engine/core/replay/trace_parsers.hpp"
#include "engine/core/retention/pause_model.hpp"

namespace troupe::core::replay {
namespace {

constexpr std::uint32_t turn_block_tokens = 32;  // the default block size; the records count tokens only

answer_end end_of(const std::string& how) {
  if (how == "tool_calls") return answer_end::tool_calls;
  if (how == "length") return answer_end::length;
  return how == "stop" ? answer_end::stop : answer_end::unknown;
}

}  // namespace

std::optional<failure> turn_parser::add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into) {
  const auto refuse = [&](const std::string& why) { return trace_failure(name, line, 0, why, number); };
  try {
    const auto row = nlohmann::json::parse(line);
    const auto type = row.at("type").get<std::string>();
    if (type == "lifecycle") return std::nullopt;  // the end of a session is its last turn
    if (type != "turn") return refuse("\"" + type + "\" is not a kind of record");
    const auto tokens = row.at("prompt_tokens").get<std::uint32_t>();
    if (tokens > 1U << 30) return refuse("\"prompt_tokens\" is out of range");
    const auto [known, is_new] = sessions_.emplace(row.at("session").get<std::string>(), into.sessions.size());
    if (is_new) into.sessions.emplace_back().name = known->first;
    into.block_tokens = turn_block_tokens;
    auto& path = paths_[known->second];
    const std::size_t blocks = tokens / turn_block_tokens;
    if (blocks < path.size()) path.clear();
    while (path.size() < blocks) path.push_back(into.blocks.add(path.empty() ? no_block : path.back()));
    recorded_request request;
    request.service_s = std::clamp(row.at("total_s").get<double>(), 0.0, 1e9);
    request.at_s = row.at("at_ms").get<double>() / 1000 - request.service_s;
    request.last = path.empty() ? no_block : path.back();
    request.blocks = static_cast<std::uint32_t>(blocks);
    request.input_tokens = tokens;
    request.output_tokens = row.at("output_tokens").get<std::uint32_t>();
    request.end = end_of(row.value("how", ""));
    request.tool = tool_of(row.value("tools", std::vector<std::string>()));
    into.sessions[known->second].requests.push_back(request);
    return std::nullopt;
  } catch (const nlohmann::json::parse_error& error) {
    return refuse(std::string("not JSON: ") + error.what());
  } catch (const nlohmann::json::exception& error) {
    return refuse(error.what());
  }
}

void turn_parser::finish(recorded_trace& into) {
  for (auto& session : into.sessions) {
    sort_by_time(session);
    for (std::size_t i = 1; i < session.requests.size(); ++i)  // the wait after tool calls is a tool's
      session.requests[i].input = session.requests[i - 1].end == answer_end::tool_calls ? input_kind::tool_result : input_kind::person;
  }
}

}  // namespace troupe::core::replay
