// The turns with an idempotency key, running or ended not long ago. Of one gateway, shared by its threads. Bounded, and fair among tenants:
// of whoever has most, a turn too many is refused, because to forget a turn is to compute it twice; whoever has less displaces one of
// theirs that nobody reads. What ended longest ago gives up its answer first, and a repeat is told so.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/core/fair_budget.hpp"
#include "engine/core/fair_table.hpp"
#include "gateway/idempotency.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

class kept_turn;
struct connection_context;

class turn_registry {
 public:
  turn_registry(std::size_t turns_max, std::size_t bytes_max) : turns_max_(turns_max), bytes_(bytes_max) {}

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
  /// False when there are too many bytes, whatever was given up, and the tenant has more than its share of them.
  bool add_bytes(const std::string& tenant, std::size_t bytes);
  void release_bytes(const std::string& tenant, std::size_t bytes) { bytes_.give_back(tenant, bytes); }

  /// Cancels what runs, forgets everything and takes nothing new.
  void stop();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const { return bytes_.total(); }

 private:
  using turns = core::fair_table<std::shared_ptr<kept_turn>>;
  using answers = core::fair_table<kept_turn*>;
  using by_scope = std::unordered_map<std::string, turns::handle>;

  expected<std::shared_ptr<kept_turn>> look_up(const turn_key& key);
  by_scope::iterator known_as(const kept_turn& turn);
  void erase(by_scope::iterator at);
  void forget_answer(const kept_turn& turn);
  /// For a turn of `tenant`; false when there is none to be had.
  bool make_room(const std::string& tenant);
  void give_up_answers(const std::string& tenant);

  const std::size_t turns_max_;
  core::fair_budget bytes_;
  mutable std::mutex mutex_;  // of what follows; taken before a turn's own, never after it
  turns turns_;               ///< by tenant, as they began
  by_scope by_scope_;
  answers answers_;  ///< by tenant, as they ended; without those that were given up
  std::unordered_map<const kept_turn*, answers::handle> by_turn_;  ///< in answers_
  bool stopped_ = false;
};

}  // namespace troupe::gateway
