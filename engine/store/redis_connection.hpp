// One connection to Redis: pipelined commands under one deadline. hiredis connects and parses; waiting is our own, because its timeouts
// hold per system call and a server that drips bytes would outlast any of them. Nothing here waits beyond the deadline, a name lookup
// included, and no reply grows beyond its bound.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"

namespace troupe::store {

struct redis_address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string unix_path;       ///< instead of host and port
  std::string user, password;  ///< AUTH when there is a password
};

struct redis_reply {
  enum class kind : std::uint8_t { bulk, status, integer, nil, error } what = kind::nil;
  std::vector<std::byte> bytes;  ///< of bulk, status and error
  long long integer = 0;
};

/// Commands as the protocol has them. Payloads are named, not copied: they stay as they are until the commands have run.
class redis_commands {
 public:
  void add(std::initializer_list<std::string_view> words);
  /// SET key value PX ttl_ms, the value being both parts together.
  void add_set(std::string_view key, std::vector<std::byte> front, std::span<const std::byte> payload, std::int64_t ttl_ms);
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const std::vector<iovec>& pieces() const { return pieces_; }

 private:
  void add_piece(std::string text);
  std::deque<std::string> texts_;
  std::deque<std::vector<std::byte>> fronts_;
  std::vector<iovec> pieces_;
  std::size_t count_ = 0;
};

class redis_connection {
 public:
  using deadline = std::chrono::steady_clock::time_point;
  enum class fault : std::uint8_t { none, gone, late, lying };  ///< lying: a reply that no Redis gives, or one that is too long

  redis_connection();
  ~redis_connection();

  /// Whether it is open, has nothing unread and the peer has not closed it.
  [[nodiscard]] bool is_usable();
  fault connect(const redis_address& address, deadline until);
  /// Sends all and hands each reply to `take` in order. A fault closes; what was taken before it counts. `take` returns false for a
  /// reply of a kind that the command cannot have, which is a lie.
  fault run(const redis_commands& commands, std::size_t reply_bytes_max, deadline until,
            const std::function<bool(std::size_t, redis_reply&&)>& take);
  void close();

 private:
  struct state;
  fault greet(const redis_address& address, deadline until);
  fault close_for(fault why);
  std::unique_ptr<state> state_;
};

}  // namespace troupe::store
