#include "gateway/commands/online_player.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/json/array.hpp>
#include <cmath>
#include <exception>
#include <numeric>
#include <random>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

std::string session_of(std::uint32_t agent) { return "replay-" + std::to_string(agent); }

json::object urgent_hints() { return {{"sched", json::object{{"priority", limits::priority_max}}}}; }

/// That share of `count`, drawn by `seed`; at least one of a share above zero.
std::vector<bool> draw_share(std::size_t count, double share, std::uint32_t seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 rng(seed);
  std::shuffle(order.begin(), order.end(), rng);
  order.resize(std::min(count, static_cast<std::size_t>(std::ceil(share * static_cast<double>(count)))));
  std::vector<bool> drawn(count);
  for (const auto each : order) drawn[each] = true;
  return drawn;
}

}  // namespace

online_player::online_player(const online_client& client, core::replay::closed_loop& loop, const core::replay::prompt_tokens& prompts,
                             online_options options)
    : client_(client), loop_(loop), prompts_(prompts), options_(std::move(options)) {
  record_.turns.resize(loop.requests().size());
  record_.is_urgent = draw_share(loop.agents().size(), options_.urgent_share, options_.seed);
}

double online_player::now_s() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

expected<online_record> online_player::run(const progress& on_progress) {
  on_progress_ = on_progress;
  start(begin());
  context_.run();
  if (problem_) return *problem_;
  record_.total_s = now_s();
  return std::move(record_);
}

/// The clock of the loop starts when the model is known.
online_player::task<> online_player::begin() {
  if (options_.model.empty()) {
    const auto listed = co_await client_.request("GET", "/v1/models", {});
    boost::system::error_code error;
    const auto all = listed ? json::value(*listed) : json::value{};
    const auto* id = all.find_pointer("/data/0/id", error);
    if (!listed)
      problem_ = listed.error();
    else if (id == nullptr || !id->is_string())
      problem_ = failure{errc::not_found, "the server lists no model", {}};
    if (problem_) co_return;
    options_.model = id->as_string();
  }
  begin_ = std::chrono::steady_clock::now();
}

void online_player::start(task<> work) {
  ++running_;
  asio::co_spawn(context_, std::move(work), [this](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
    --running_;
    if (!problem_) start_due();
  });
}

/// Starts what is due, and comes back when the next is, or when something has ended.
void online_player::start_due() {
  for (const auto number : loop_.take_due(now_s(), limits::replay_connections_max - running_)) start(play(number));
  const auto next_s = loop_.next_due_s();
  if (!next_s || running_ >= limits::replay_connections_max) return;
  timer_.expires_at(begin_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(*next_s)));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) start_due();
  });
}

online_player::task<> online_player::play(std::uint32_t number) {
  const auto& request = loop_.requests()[number];
  if (tells_events() && request.cause == core::replay::turn_cause::first) co_await spawn(request.agent);
  const auto answer = co_await client_.complete(body_of(number), session_of(request.agent));
  const double ended_s = now_s();
  auto& turn = record_.turns[number];
  if (answer)
    turn.seen = *answer;
  else
    turn.failed = answer.error();
  if (tells_events() && request.pause_s >= 0) co_await pause(number);
  turn.ended_s = ended_s;
  const auto ended = loop_.answered(number, ended_s);
  on_progress_(static_cast<double>(++answered_) / static_cast<double>(record_.turns.size()));
  start_due();
  for (const auto agent : ended)
    if (tells_events()) co_await tell("die", "DELETE", "/v1/sessions/" + session_of(agent), {});
}

online_player::task<> online_player::spawn(std::uint32_t agent) {
  json::object body{{"id", session_of(agent)}, {"model", options_.model}};
  if (const auto parent = loop_.agents()[agent].parent; parent != agent) body["parent"] = session_of(parent);
  if (record_.is_urgent[agent] && options_.urgent == online_options::urgent_hint::priority) body["agent_hints"] = urgent_hints();
  co_await tell("spawn", "POST", "/v1/sessions", std::move(body));
}

/// Recorded sessions name no tools.
online_player::task<> online_player::pause(std::uint32_t number) {
  json::object body{{"id", "pause-" + std::to_string(number)}, {"verb", "tool_pause"}};
  if (number < options_.pause_hints_s.size() && options_.pause_hints_s[number] >= 0)
    body["expect_ms"] = static_cast<std::int64_t>(options_.pause_hints_s[number] * 1000);
  co_await tell("tool_pause", "POST", "/v1/sessions/" + session_of(loop_.requests()[number].agent) + "/events", std::move(body));
}

online_player::task<> online_player::tell(std::string verb, std::string method, std::string target, json::object body) {
  const auto answer = co_await client_.request(std::move(method), std::move(target), std::move(body));
  if (!answer) {
    ++record_.verbs_failed;
    ++record_.verbs[verb + " failed"];
    co_return;
  }
  const auto* outcome = answer->if_contains("outcome");  // a spawn answers with the session
  ++record_.verbs[verb + " " + (outcome != nullptr && outcome->is_string() ? std::string(outcome->get_string()) : "accepted")];
}

json::object online_player::body_of(std::uint32_t number) const {
  const auto& request = loop_.requests()[number];
  std::vector<token_id> tokens;
  prompts_.write(request.asked, number, tokens);
  const auto output = std::max(request.asked.output_tokens, 1U);
  json::object body{{"model", options_.model}, {"prompt", json::array(tokens.begin(), tokens.end())},
                    {"max_tokens", output},    {"ignore_eos", true},
                    {"temperature", 0},        {"skip_special_tokens", false}};
  json::object hints;
  if (record_.is_urgent[request.agent] && options_.urgent == online_options::urgent_hint::priority) hints = urgent_hints();
  if (tells_events()) hints["shape"] = json::object{{"output_tokens", output}};
  if (!hints.empty()) body["agent_hints"] = std::move(hints);
  return body;
}

}  // namespace troupe::gateway
