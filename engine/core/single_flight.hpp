// Compute leases: when several turns miss the same blocks, one computes them and the others wait for the blocks, not for the
// turn. A lease covers every missing prompt block of its holder and ends with its deadline, its last block, or its turn.
#pragma once

#include <cstdint>
#include <optional>
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
  struct claim_entry { request_id turn; instant deadline; };
  std::unordered_map<std::uint64_t, claim_entry> claims_;
  std::unordered_map<request_id, std::vector<std::uint64_t>> turns_;
};

}  // namespace troupe::core
