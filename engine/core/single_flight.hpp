// Compute leases: when several turns miss the same blocks, one computes them and the others wait for the blocks, not for the
// turn. A lease covers every missing prompt block of its holder and ends with its deadline, its last block, or its turn.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/core/scheduler.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

class single_flight {
 public:
  /// `missing`: ids of the blocks a turn would compute, in order. If another turn computes a prefix of them, returns the id of the
  /// deepest such block: wait for it. Else takes the lease until `deadline` and returns nothing.
  std::optional<std::uint64_t> claim(request_id turn, std::span<const std::uint64_t> missing, instant now, instant deadline);
  /// The block exists now (or its turn ended: `end`). Both make waiting on it pointless; callers ask again for each waiter.
  void stored(std::uint64_t id);
  void end(request_id turn);
  [[nodiscard]] bool is_claimed(std::uint64_t id, instant now) const;
  [[nodiscard]] std::size_t size() const noexcept { return claims_.size(); }

 private:
  struct claim_entry {
    request_id turn;
    instant deadline;
  };
  struct lease {
    instant deadline{0};
    std::vector<std::uint64_t> blocks;  ///< all that were claimed
    std::size_t open = 0;               ///< of them, those still in claims_
  };
  struct expiry {
    instant deadline;
    request_id turn;
    bool operator<(const expiry& other) const { return deadline > other.deadline; }  // the earliest is the queue's top
  };

  [[nodiscard]] bool is_mine(std::uint64_t id, request_id turn) const;
  void drop(std::uint64_t id);
  void expire(instant now);

  std::unordered_map<std::uint64_t, claim_entry> claims_;
  std::unordered_map<request_id, lease> turns_;
  std::priority_queue<expiry> deadlines_;  ///< of leases given out; late entries of ended ones fall out as time passes
};

}  // namespace troupe::core
