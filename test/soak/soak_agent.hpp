// One agent of the soak: lives again and again, each life some turns with a growing history, verbs and subagents between them.
// Everything it decides comes from its seed; what the server does with it does not.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "test/soak/soak_report.hpp"

namespace troupe::test {

class soak_agent {
 public:
  soak_agent(std::uint16_t port, std::uint32_t seed, std::uint32_t index, soak_report& report);
  /// Begins no new turn after `until`.
  void run(std::chrono::steady_clock::time_point until);

 private:
  void live();
  /// One streamed turn. True: `messages` has grown by the answer.
  bool take_turn(const std::string& session, const std::string& parent, nlohmann::json& messages);
  void do_something_between(const std::string& session, nlohmann::json& messages);
  void raise_child(const std::string& parent);
  void tell(const std::string& session, const std::string& verb);
  void spawn(const std::string& session, const std::string& parent);
  void die(const std::string& session);
  nlohmann::json request(const std::string& method, const std::string& path, const std::string& body, const std::string& what);

  [[nodiscard]] bool time_is_up() const { return std::chrono::steady_clock::now() >= until_; }
  [[nodiscard]] std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  [[nodiscard]] bool chance(std::uint32_t percent) { return draw(100) < percent; }
  [[nodiscard]] nlohmann::json say(const std::string& role, std::size_t words);

  std::uint16_t port_;
  std::uint32_t index_, lives_ = 0, children_ = 0, verbs_ = 0;
  std::mt19937 random_;
  soak_report& report_;
  std::chrono::steady_clock::time_point until_;
};

}  // namespace troupe::test
