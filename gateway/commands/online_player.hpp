// Plays a recorded workload against a live gateway: one HTTP session per agent, in a closed loop. One thread; when each request is due,
// the loop says, and this carries it out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/replay/closed_loop.hpp"
#include "engine/core/replay/prompt_tokens.hpp"
#include "gateway/commands/online_client.hpp"

namespace troupe::gateway {

struct online_options {
  enum class lifecycle : std::uint8_t { none, events } told = lifecycle::events;
  enum class urgent_hint : std::uint8_t { none, priority } urgent = urgent_hint::priority;
  std::string model;                 ///< empty: the first that the server lists
  double urgent_share = 0;           ///< of the agents
  std::uint32_t seed = 1;            ///< of the draw of the urgent ones
  std::vector<float> pause_hints_s;  ///< per request of the loop, told with its tool pause; below 0 or absent: nothing is
};

/// What became of a request.
struct played_turn {
  std::optional<failure> failed;
  online_turn seen;
  double ended_s = 0;  ///< since the replay began
};

struct online_record {
  std::vector<played_turn> turns;              ///< per request of the loop
  std::vector<bool> is_urgent;                 ///< per agent of the loop
  std::map<std::string, std::uint64_t> verbs;  ///< "tool_pause accepted" and the like, how often; spawn included
  std::uint64_t verbs_failed = 0;
  double total_s = 0;
};

class online_player {
 public:
  using progress = std::function<void(double share)>;
  online_player(const online_client& client, core::replay::closed_loop& loop, const core::replay::prompt_tokens& prompts,
                online_options options);
  /// Returns when every request has been answered or has failed. Failure: the server lists no model.
  expected<online_record> run(const progress& on_progress);

 private:
  template <class Result = void>
  using task = boost::asio::awaitable<Result>;

  task<> begin();
  task<> play(std::uint32_t number);
  task<> spawn(std::uint32_t agent);
  task<> pause(std::uint32_t number);
  task<> tell(std::string verb, std::string method, std::string target, boost::json::object body);
  [[nodiscard]] boost::json::object body_of(std::uint32_t number) const;
  void start_due();
  void start(task<> work);
  [[nodiscard]] double now_s() const;
  [[nodiscard]] bool tells_events() const { return options_.told == online_options::lifecycle::events; }

  const online_client& client_;
  core::replay::closed_loop& loop_;
  const core::replay::prompt_tokens& prompts_;
  online_options options_;
  progress on_progress_;
  boost::asio::io_context context_{1};
  boost::asio::steady_timer timer_{context_};
  std::chrono::steady_clock::time_point begin_;
  std::size_t running_ = 0, answered_ = 0;
  std::optional<failure> problem_;
  online_record record_;
};

}  // namespace troupe::gateway
