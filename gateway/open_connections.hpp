// The connections of a server, bounded. When there are too many, one more takes the place of another: of the one that has waited longest
// to show whose it is while such strangers have more than their eighth of the places, else of one between requests. Where all are at work, strangers
// may have their eighth on top, so that whoever holds all places does not keep a tenant out that has none. All calls may come from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/core/fair_shares.hpp"
#include "gateway/connection.hpp"

namespace troupe::gateway {

class open_connections {
 public:
  explicit open_connections(std::size_t most);

  /// As a stranger; whoever gives its place is cut.
  void add(std::uint64_t number, std::shared_ptr<connection_handle> made);
  /// A request of that tenant was let in. False: there are too many, and the tenant has more than its fair share.
  bool admit(std::uint64_t number, const std::string& tenant);
  void erase(std::uint64_t number);

  [[nodiscard]] std::size_t size() const;
  /// Whether none is left, after waiting at most that long.
  bool wait_until_empty(std::chrono::milliseconds within);
  template <class Action>
  void each(Action action) {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, entry] : open_) action(*entry.connection);
  }

 private:
  struct entry {
    std::shared_ptr<connection_handle> connection;
    std::optional<std::string> tenant;         ///< nothing: a stranger
    std::list<std::uint64_t>::iterator place;  ///< of a stranger
  };
  using entries = std::unordered_map<std::uint64_t, entry>;

  void make_room();
  void remove(entries::iterator at);
  void leave_place(const entry& of);
  [[nodiscard]] std::optional<std::uint64_t> longest_idle() const;

  const std::size_t most_, strangers_most_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  entries open_;
  std::list<std::uint64_t> strangers_;  ///< the oldest in front
  core::fair_shares known_;             ///< connections by tenant
};

}  // namespace troupe::gateway
