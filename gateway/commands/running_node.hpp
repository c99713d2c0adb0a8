// A node and its gateway in this process, from a config: what `troupe serve` runs, and what tests of the whole run without a second
// process.
#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <csignal>
#include <memory>

#include "actors/config.hpp"
#include "gateway/actor_scheduler.hpp"
#include "gateway/server.hpp"
#include "messages/interfaces.hpp"

namespace troupe::gateway {

/// Raised in this process when the node actor has ended by itself. Block it before start().
inline constexpr int node_ended_signal = SIGUSR1;

class running_node {
 public:
  /// Loads the models, starts the actors, listens. Failures: those of actors::prepare_node and server::start.
  static expected<std::unique_ptr<running_node>> start(const actors::config& config);
  ~running_node();
  running_node(const running_node&) = delete;
  running_node& operator=(const running_node&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return server_->port(); }
  [[nodiscard]] const node_actor& node() const noexcept { return node_; }
  [[nodiscard]] caf::actor_system& system() noexcept { return system_; }
  /// Reads certificate and key again, for connections that begin then; logs what came of it.
  void reload_tls();
  /// Takes nothing new, lets running turns finish within that time, tells the rest, ends every actor.
  drain_done drain(std::chrono::milliseconds within);

 private:
  explicit running_node(const actors::config& config);

  scheduled_settings settings_;
  caf::actor_system system_;
  node_actor node_;
  std::shared_ptr<tls_identity> tls_;  // null: plain HTTP
  std::unique_ptr<server> server_;
  bool drained_ = false;
};

}  // namespace troupe::gateway
