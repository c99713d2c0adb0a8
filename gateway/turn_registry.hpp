// The turns with an idempotency key, running or ended not long ago. Of one gateway, shared by its threads. Bounded: one turn too many is
// refused, because to forget a turn is to compute it twice; what ended longest ago gives up its answer first, and a repeat is told so.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "gateway/idempotency.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

class kept_turn;
struct connection_context;

class turn_registry {
 public:
  turn_registry(std::size_t turns_max, std::size_t bytes_max) : turns_max_(turns_max), bytes_max_(bytes_max) {}

  /// The turn of that key, joined; null when there is none. idempotency_mismatch when the key names another request's turn.
  expected<std::shared_ptr<kept_turn>> find(const turn_key& key);

  struct claim {
    std::shared_ptr<kept_turn> turn;  ///< joined
    bool is_new = false;              ///< the caller starts it
  };
  /// The same, or a new one. queue_full when there are too many, draining after stop().
  expected<claim> open(const turn_key& key, const std::shared_ptr<const connection_context>& context);

  /// A repeat runs anew from here on.
  void forget(const kept_turn& turn);
  /// From here on its answer may be given up for others. False when it was forgotten.
  bool ended(kept_turn& turn);
  /// False when there are too many bytes, whatever was given up.
  bool add_bytes(std::size_t bytes);
  void release_bytes(std::size_t bytes) noexcept { bytes_ -= bytes; }

  /// Cancels what runs, forgets everything and takes nothing new.
  void stop();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  expected<std::shared_ptr<kept_turn>> look_up(const turn_key& key);
  void give_up_oldest();

  const std::size_t turns_max_, bytes_max_;
  std::atomic<std::size_t> bytes_ = 0;
  mutable std::mutex mutex_;  // of what follows; taken before a turn's own, never after it
  std::unordered_map<std::string, std::shared_ptr<kept_turn>> turns_;
  std::deque<kept_turn*> ended_;  // the oldest in front; those without an answer are not there
  bool stopped_ = false;
};

}  // namespace troupe::gateway
