// The records behind block_pool, shared by its source files and nobody else.
//
// uses = leases of the block + children in use. It drops to zero only after every block below has dropped to zero, so the policy hears of
// children before parents, in whatever order a caller ends its leases.
#pragma once

#include <unordered_map>
#include <vector>

#include "engine/core/block_owners.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/flat_table.hpp"

namespace troupe::core {

enum class block_state : std::uint8_t { free, leased_private, cached };

struct block_record {
  block_identity identity;
  block_hash parent_hash;
  block_index parent = no_block;  ///< no_block: starts a sequence
  std::uint32_t leases = 0, uses = 0, children = 0, depth = 0;
  block_state state = block_state::free;
  block_role role = block_role::unknown;
  eviction_cause unowned_by = eviction_cause::death;  ///< why its last owner has left
  tenant_index tenant = 0;                            ///< of a block that is not free
};

struct block_pool::state {
  explicit state(const block_pool_options& chosen);

  std::span<token_id> tokens_of(block_index block) {
    return {tokens.data() + std::size_t{block} * options.block_tokens, options.block_tokens};
  }
  [[nodiscard]] std::span<const token_id> tokens_of(block_index block) const {
    return {tokens.data() + std::size_t{block} * options.block_tokens, options.block_tokens};
  }
  [[nodiscard]] block_index find(const block_hash& hash) const {
    return by_hash.find_if(hash.low, [&](block_index at) { return records[at].identity.hash == hash; });
  }
  [[nodiscard]] bool equals(block_index block, const block_hash& parent, std::span<const token_id> content) const;
  /// The block of `hash` if parent and tokens agree; a disagreement is counted.
  block_index find_verified(const block_hash& hash, const block_hash& parent, std::span<const token_id> content);

  void lease(block_index block);
  void begin_use(block_index block);
  void end_use(block_index block);
  /// A cached leaf that is not in use becomes free.
  void uncache(block_index block, eviction_cause cause);
  /// Makes `owner` an owner of the block and of all before it.
  void own(owner_id owner, block_index block);
  /// A turn of the stream goes on with these blocks.
  void claim(owner_id owner, std::span<const block_index> chain);
  void open_turn(owner_id owner, const turn_opening& opening, std::span<const block_index> resident);
  /// no_stream: it has opened no turn here, or is gone.
  [[nodiscard]] stream_id stream_of(owner_id owner) const;
  block_index take_block(tenant_index tenant);
  block_index lease_private(block_index block, tenant_index tenant);
  /// Its content is gone.
  void free(block_index block);

  // block_pool_shares.cpp
  /// Which block leaves for one of this tenant.
  eviction victim(const retention_policy::question& asked, tenant_index tenant);
  eviction victim_by_share(const retention_policy::question& asked, tenant_index tenant);
  void evict(const eviction& gone);
  /// Ranks have changed: the policy hears of it, and what is pinned is no longer available.
  void take_ranks();
  void store(block_index block, const block_identity& identity, const block_hash& parent, block_index parent_block,
             std::span<const token_id> content);

  // block_pool_roles.cpp
  void set_role(block_index block, block_role role);
  /// Where nobody has said one yet.
  void note_role(block_index block, block_role role) {
    if (records[block].role == block_role::unknown && role != block_role::unknown) set_role(block, role);
  }
  /// The rank of a block by what owners wish, and by its role where nobody wishes anything.
  [[nodiscard]] std::uint8_t rank_of(block_index block, std::uint8_t wished) const;

  block_pool_options options;
  std::vector<block_record> records;
  std::vector<token_id> tokens;
  std::vector<block_index> free_blocks;  ///< the last one is taken first
  flat_table by_hash;
  block_owners owners;
  tenant_shares shares;
  std::unique_ptr<retention_policy> policy;
  block_intents intents;
  std::vector<bool> pinned;            ///< as far as `idle_pinned` counts it
  std::unordered_map<owner_id, tier_level> lowest_tiers;  ///< of owners that have said one
  instant now{0};
  std::unordered_map<owner_id, stream_id> streams;
  std::vector<owner_id> stream_owners;  ///< by stream
  std::vector<stream_id> free_streams;
  std::uint32_t idle = 0, idle_pinned = 0, leased = 0, cached = 0;
  std::uint64_t stored = 0, hash_mismatches = 0, inherited = 0;
  std::array<std::uint32_t, block_roles> by_role{};  ///< cached blocks
  bool ranks_by_role = false;
  std::array<std::uint64_t, eviction_causes> removed{};
  std::vector<block_event> events;
};

}  // namespace troupe::core
