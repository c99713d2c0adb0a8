// Two actor systems in one process, joined by a socket on the loopback: the smallest cluster. Every actor that a side keeps is ended
// before its system, and an alarm turns a hang into a failure.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <cstdint>
#include <vector>

#include "messages/types.hpp"

namespace troupe::testing {

inline constexpr auto patience = std::chrono::seconds(10);

struct bare_config : caf::actor_system_config {
  bare_config() {
    load<caf::io::middleman>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1});
  }
};

struct troupe_config : bare_config {
  troupe_config() { register_message_types(*this); }
};

class alarm_guard {
 public:
  alarm_guard() { ::alarm(100); }
  ~alarm_guard() { ::alarm(0); }
};

/// One node: its system and the actors it must end.
template <class Config = troupe_config>
class side {
 public:
  side() : system(config_) {}
  ~side() {
    for (const auto& actor : kept_) caf::anon_send_exit(actor, caf::exit_reason::kill);
  }

  template <class Handle>
  Handle keep(Handle actor) {
    kept_.push_back(caf::actor_cast<caf::actor>(actor));
    return actor;
  }
  template <class Handle>
  std::uint16_t publish(const Handle& actor) {
    auto port = system.middleman().publish(actor, 0, "127.0.0.1");
    REQUIRE(port);
    return *port;
  }
  template <class Handle>
  Handle reach(std::uint16_t port) {
    auto actor = system.middleman().template remote_actor<Handle>("127.0.0.1", port);
    REQUIRE(actor);
    return *actor;
  }

 private:
  Config config_;
  std::vector<caf::actor> kept_;

 public:
  caf::actor_system system;
};

/// Asks with a deadline; an error fails the test.
template <class Answer, class Handle, class... Ts>
Answer ask(caf::scoped_actor& self, const Handle& actor, Ts... question) {
  Answer result{};
  self->request(actor, patience, std::move(question)...)
      .receive([&](const Answer& answer) { result = answer; }, [&](caf::error& error) { FAIL("refused: error " << int{error.code()}); });
  return result;
}

/// The same for an answer with a handle beside it.
template <class Answer, class Beside, class Handle, class... Ts>
std::pair<Answer, Beside> ask_two(caf::scoped_actor& self, const Handle& actor, Ts... question) {
  std::pair<Answer, Beside> result;
  self->request(actor, patience, std::move(question)...)
      .receive(
          [&](const Answer& answer, const Beside& beside) {
            result = {answer, beside};
          },
          [&](caf::error& error) { FAIL("refused: error " << int{error.code()}); });
  return result;
}

}  // namespace troupe::testing
