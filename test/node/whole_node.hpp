// A node with its gateway in this process, real threads and real time: what `troupe serve` runs, with a hand on its actors.
// Waits poll what can be observed from outside and end with an exception: a hang is a failure. No actor header is seen from here,
// because each test would pay for it with half a minute of compiling.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "messages/service.hpp"
#include "test/support/http_client.hpp"

namespace troupe::test {

/// What a test says of a node; the rest are the config's defaults.
struct node_wish {
  std::string model_path{};  ///< empty: the built-in model
  std::string model_keys{};  ///< more lines of its [[model]]
  std::string worker_keys = "blocks = 1024\nblock_tokens = 16\n";
  std::string sections{};  ///< more sections
};

/// The folder that TROUPE_SOURCE or TROUPE_SHARED names.
std::filesystem::path folder_of(const char* variable);

/// What can be killed, as in actors::child_request.
enum class child : std::uint8_t { session_directory, router_shard, worker, host_tier, store_tier, template_renderer, trace };

class whole_node {
 public:
  explicit whole_node(const node_wish& wish = {});
  ~whole_node();

  [[nodiscard]] std::uint16_t port() const;
  drain_done drain(std::chrono::milliseconds within);
  /// Ends the running node as its owner would.
  void end();
  node_status status();
  /// Of the node's only worker.
  worker_status worker();
  /// Ends the child without a word to anyone, and waits until its successor is there.
  void kill(child what, std::size_t index = 0);
  /// One request on a connection of its own.
  http_reply ask(const std::string& method, const std::string& path, const std::string& body = {}, const http_fields& fields = {});
  /// Reads the status until it `holds`. Throws after `within`; the last status is in the text.
  template <class Holds>
  node_status status_once(Holds holds, std::chrono::seconds within = std::chrono::seconds{20}) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    for (;;) {
      auto now = status();
      if (holds(now)) return now;
      if (std::chrono::steady_clock::now() > deadline) throw_late(now);
      pause();
    }
  }

 private:
  struct state;
  [[noreturn]] static void throw_late(const node_status& last);
  /// Between two looks: the machine may have one core, and the node needs it.
  static void pause();

  std::filesystem::path folder_;
  std::unique_ptr<state> state_;
};

std::string describe(const node_status& status);

}  // namespace troupe::test
