// What a block pool is made with, and what it tells: options, events, counts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/block_role.hpp"
#include "engine/core/retention/retention_policy.hpp"
#include "engine/core/tenant_shares.hpp"

namespace troupe::core {

struct block_pool_options {
  std::uint32_t block_count = 0;
  std::uint32_t block_tokens = 32;
  std::string retention = "lru";  ///< a retention policy's name; an unknown one throws
  double pinned_share_max = 0.5;  ///< of the blocks that pins may keep
  bool is_below = false;          ///< a tier below a device: it has copies (retention_options)
  std::vector<tenant_share> tenants = {};  ///< by tenant_index; empty: nobody asks whose a block is
};

/// What changed in the cache, in order; the worker forwards it to the router shards.
struct block_event {
  enum class kind : std::uint8_t { stored, removed } what = kind::stored;
  block_identity block;
  block_hash parent;  ///< of a stored block
  bool operator==(const block_event&) const = default;
};

struct block_pool_counts {
  std::uint32_t total = 0, free = 0, leased = 0, cached = 0;  ///< cached: with or without lease
  std::uint32_t pinned = 0;
  std::uint64_t stored = 0, hash_mismatches = 0;
  std::uint64_t inherited = 0;                             ///< handed over at a death instead of freed
  std::array<std::uint32_t, block_roles> by_role{};        ///< cached ones
  std::array<std::uint64_t, eviction_causes> removed{};  ///< by cause
  [[nodiscard]] std::uint64_t removed_by(eviction_cause cause) const { return removed[static_cast<std::size_t>(cause)]; }
};

/// A turn whose prompt begins with what is being leased. Said again for the same turn, it is no further turn.
struct turn_opening {
  std::uint64_t turn = 0;
  turn_input input = turn_input::unknown;
  std::uint32_t blocks = 0;  ///< of the whole prompt
  tier_level max_tier = tier_level::remote;  ///< the lowest that may keep what only owners like this one have
  tenant_index tenant = 0;
};

}  // namespace troupe::core
