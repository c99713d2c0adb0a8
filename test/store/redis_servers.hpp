// Counterparts for the remote store: a real redis-server on a socket of its own, and a server that answers what a test tells it to.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine/store/remote_store.hpp"
#include "test/store/stored_samples.hpp"

namespace troupe::store::test {

/// Whether redis-server is installed; says so if not.
bool has_redis();
/// A TCP port of this host that nobody has at the moment.
int free_port();

class real_redis {
 public:
  explicit real_redis(const std::vector<std::string>& arguments = {});
  ~real_redis();
  [[nodiscard]] const std::string& socket() const { return socket_; }
  void stop();    ///< killed; waits for its end
  void start();   ///< waits until it answers
  void freeze();  ///< SIGSTOP: connects are taken by the kernel, nothing is answered
  void thaw();
  /// One command, words parted by blanks, by redis-cli; its output.
  std::string run(const std::string& command) const;

 private:
  temporary_folder folder_;
  std::string socket_;
  std::vector<std::string> arguments_;
  int process_ = -1;
};

/// Answers each command with what `answer` returns for it (its words); an empty answer closes the connection.
class lying_redis {
 public:
  using words = std::vector<std::string>;
  explicit lying_redis(std::function<std::string(const words&)> answer);
  ~lying_redis();
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve();
  void talk(int peer);
  temporary_folder folder_;
  std::string socket_;
  std::function<std::string(const words&)> answer_;
  int listener_ = -1;
  std::atomic<int> connections_{0};
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

}  // namespace troupe::store::test
