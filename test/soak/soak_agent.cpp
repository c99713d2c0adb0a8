#include "test/soak/soak_agent.hpp"

#include <exception>

#include "test/node/turn_stream.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;

/// The same for all agents, as the system prompt of one harness is: some 15 blocks of 16 tokens.
std::string system_prompt() {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "You are agent number one of a troupe and know rule " + std::to_string(i) + ". ";
  return text;
}

const char* const some_words[] = {"sea", "river", "stone", "lamp", "read", "write", "run", "call", "tool", "result", "line", "file"};

}  // namespace

soak_agent::soak_agent(std::uint16_t port, std::uint32_t seed, std::uint32_t index, soak_report& report)
    : port_(port), index_(index), random_(seed * 7919U + index), report_(report) {}

void soak_agent::run(std::chrono::steady_clock::time_point until) {
  until_ = until;
  while (!time_is_up()) live();
}

json soak_agent::say(const std::string& role, std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += std::string(some_words[draw(std::size(some_words))]) + " ";
  return {{"role", role}, {"content", text}};
}

void soak_agent::live() {
  // Half of the lives are further incarnations of one name.
  const auto name = "agent-" + std::to_string(index_) + (chance(50) ? "" : "-" + std::to_string(++lives_));
  json messages = json::array({{{"role", "system"}, {"content", system_prompt()}}, say("user", 5 + draw(40))});
  // Otherwise a turn that is left at once may never become a session, and the verbs that follow are rightly refused.
  spawn(name, {});
  const auto turns = 1 + draw(5);
  for (std::uint32_t i = 0; i < turns && !time_is_up(); ++i) {
    if (take_turn(name, {}, messages)) messages.push_back(say("user", 3 + draw(20)));
    if (!time_is_up()) do_something_between(name, messages);
  }
  if (chance(80)) die(name);
}

void soak_agent::do_something_between(const std::string& session, json& messages) {
  switch (draw(6)) {
    case 0:
      tell(session, "tool_pause");
      if (chance(50)) tell(session, "resume");
      break;
    case 1:
      tell(session, "compact");
      messages = json::array({messages[0], say("user", 10)});
      break;
    case 2:
      raise_child(session);
      break;
    default:
      break;
  }
}

void soak_agent::raise_child(const std::string& parent) {
  const auto name = "child-" + std::to_string(index_) + "-" + std::to_string(++children_);
  spawn(name, parent);
  json messages = json::array({{{"role", "system"}, {"content", system_prompt()}}, say("user", 5 + draw(20))});
  take_turn(name, parent, messages);
  if (chance(50)) die(name);
}

bool soak_agent::take_turn(const std::string& session, const std::string& parent, json& messages) {
  http_fields fields{{"x-session-id", session}, {"x-request-timeout-ms", "20000"}};
  if (!parent.empty()) fields.emplace("x-parent-session-id", parent);
  const json body{{"messages", messages}, {"max_tokens", 8 + draw(80)}, {"temperature", 1}, {"seed", draw(1U << 30)}};
  const auto leaves_after = chance(15) ? static_cast<int>(draw(12)) : -1;
  report_.count([](soak_counts& counts) { ++counts.turns; });
  std::string code;
  try {
    turn_stream turn(port_, body, fields);
    for (int pieces = 0; pieces != leaves_after && turn.next();) ++pieces;
    const auto& result = turn.result();
    if (!result.done && result.error_code.empty() && leaves_after >= 0) {
      turn.close();
      report_.count([](soak_counts& counts) { ++counts.left; });
      return false;
    }
    if (result.done) {
      report_.count([&](soak_counts& counts) {
        ++counts.answered;
        counts.prompt_tokens += result.prompt_tokens;
        counts.cached_tokens += result.cached_tokens;
        counts.output_tokens += result.output_tokens;
      });
      messages.push_back({{"role", "assistant"}, {"content", result.text}});
      return true;
    }
    code = result.error_code.empty() ? "cut off" : result.error_code;
  } catch (const std::exception& error) {
    code = error.what();
  }
  report_.count([&](soak_counts& counts) { ++counts.turn_failures[code]; });
  return false;
}

json soak_agent::request(const std::string& method, const std::string& path, const std::string& body, const std::string& what) {
  report_.count([](soak_counts& counts) { ++counts.verbs; });
  std::string code;
  try {
    const auto reply = http_client(port_).request(method, path, body, {{"content-type", "application/json"}});
    if (reply.status == 200) return json::parse(reply.body);
    code = what + " " + std::to_string(reply.status) + " " + reply.body;
  } catch (const std::exception& error) {
    code = what + ": " + error.what();
  }
  report_.count([&](soak_counts& counts) { ++counts.verb_failures[code]; });
  return json::object();
}

void soak_agent::tell(const std::string& session, const std::string& verb) {
  const json body{{"id", std::to_string(index_) + "." + std::to_string(++verbs_)}, {"verb", verb}};
  request("POST", "/v1/sessions/" + session + "/events", body.dump(), verb);
}

void soak_agent::spawn(const std::string& session, const std::string& parent) {
  json body{{"id", session}};
  if (!parent.empty()) body["parent"] = parent;
  request("POST", "/v1/sessions", body.dump(), "spawn");
  report_.count([](soak_counts& counts) { ++counts.spawns; });
}

void soak_agent::die(const std::string& session) {
  request("DELETE", "/v1/sessions/" + session, {}, "die");
  report_.count([](soak_counts& counts) { ++counts.deaths; });
}

}  // namespace troupe::test
