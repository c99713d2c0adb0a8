// What owners wish of a pool's blocks, for a time: ranks and pins. A wish names the last block it concerns by its hash, so it waits for
// blocks that are not there yet and finds them again when they come back. Pins share a bounded part of the pool.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/instant.hpp"
#include "engine/core/retention/block_marks.hpp"

namespace troupe::core {

/// That `last` and the `blocks` - 1 before it stay; a rank of rank_default or more holds for everything before as well.
struct retention_wish {
  block_identity last;
  std::uint32_t blocks = 0;
  std::uint8_t rank = rank_default;  ///< rank_pinned: they must not leave
  std::uint32_t ttl_ms = 0;          ///< from receipt
  bool operator==(const retention_wish&) const = default;
};
struct intent_result {
  std::uint64_t generation = 0;      ///< that counts now
  std::uint32_t blocks_pinned = 0;   ///< in the whole pool
  std::uint32_t blocks_clipped = 0;  ///< of this intent's that are there and could not be pinned: the share for pins is full
  bool operator==(const intent_result&) const = default;
};

class block_intents {
 public:
  /// `tenant_pins_max`: by tenant, of their own blocks; empty: no further bound.
  block_intents(std::uint32_t block_count, std::uint32_t pinned_max, std::vector<std::uint32_t> tenant_pins_max = {})
      : marks_(block_count), pinned_(block_count), pinned_max_(pinned_max), tenant_pins_(tenant_pins_max.size()), tenant_pins_max_(std::move(tenant_pins_max)) {}

  void stored(block_index block, block_index parent, const block_hash& hash, tenant_index tenant = 0);
  void removed(block_index block);
  using finder = std::function<block_index(const block_hash&)>;
  struct intent {
    owner_id owner;
    std::uint64_t generation = 0;
    std::span<const retention_wish> wishes;
  };
  /// Replaces what the owner wished before; an older generation than the one known changes nothing.
  intent_result apply(const intent& all, instant now, const finder& find);
  /// The owner is gone.
  void release(owner_id owner);
  /// Ends the wishes whose time has come.
  void expire(instant now);

  /// Since the last call. Call it after each of the above.
  std::vector<rank_change> take_changes() { return std::exchange(changes_, {}); }
  [[nodiscard]] bool is_pinned(block_index block) const { return pinned_[block]; }
  [[nodiscard]] std::uint8_t rank_of(block_index block) const { return marks_.rank_of(block); }
  [[nodiscard]] std::uint32_t pinned() const noexcept { return pinned_count_; }
  [[nodiscard]] const std::vector<std::uint32_t>& tenant_pins() const noexcept { return tenant_pins_; }  ///< as far as they are bounded

 private:
  struct standing_wish {
    retention_wish wish;
    instant until{0};
    std::optional<mark_id> mark;
  };
  struct standing_intent {
    std::uint64_t generation = 0;
    std::vector<standing_wish> wishes;
  };

  /// Returns how many blocks could not be pinned.
  std::uint32_t place(standing_wish& wish, block_index block);
  void set_pinned(block_index block, bool is_pinned);
  /// For pins of this block and those before it.
  [[nodiscard]] std::uint32_t room_for(block_index block) const;
  void end(owner_id owner, std::uint64_t generation, const standing_wish& gone);
  void absorb();

  block_marks marks_;
  std::vector<bool> pinned_;
  std::vector<block_index> parents_;  ///< of blocks that are here
  std::vector<tenant_index> tenants_;   ///< of blocks that are here, when tenants have bounds
  std::uint32_t pinned_max_, pinned_count_ = 0;
  std::vector<std::uint32_t> tenant_pins_, tenant_pins_max_;
  std::unordered_map<owner_id, standing_intent> intents_;  ///< until their owner is released: a late one must be known as such
  std::unordered_multimap<std::uint64_t, owner_id> by_hash_;  ///< low hashes of what wishes name
  std::multimap<instant, std::pair<owner_id, std::uint64_t>> ends_;  ///< owners with their generation
  std::vector<rank_change> changes_;
};

}  // namespace troupe::core
