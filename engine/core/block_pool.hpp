// The blocks of one device: who leases them, which are cached under which hash, and which is the next to leave.
// Knows indices and hashes only, no bytes. Single-threaded: the worker owns it.
//
// A block is in exactly one state:
//   free      no content; on the free list
//   private   leased by one sequence, content not yet complete (no hash)
//   cached    complete and published under its hash; leased by 0..n sequences; with 0 leases it can be evicted
// A cached block's parent is cached too ("monotone"). A cached block is idle when neither it nor a block below it is leased; which of
// the idle ones leaves next is the retention policy's to say. To the policy a stream is an owner that has opened a turn here. Those of a
// tenant with more than its share leave before all others (block_pool_shares.cpp); a block is one tenant's from its first lease on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/core/block_pool_types.hpp"
#include "engine/core/retention/block_intents.hpp"

namespace troupe::core {

class block_pool {
 public:
  explicit block_pool(const block_pool_options& options);
  ~block_pool();
  block_pool(block_pool&&) noexcept;
  block_pool& operator=(block_pool&&) noexcept;

  /// What is done from here on is done at `now`.
  void set_time(instant now);

  /// What an owner wishes kept, for a time. Ends with the owner too.
  intent_result apply(const block_intents::intent& all);
  /// The lowest tier that may keep it: what its owners' last turns allow, of several the least strict.
  [[nodiscard]] tier_level lowest_tier(block_index block) const;

  /// Leases the longest cached prefix of `chain` for one sequence and appends its blocks to `table`. Each block's parent hash and tokens
  /// are compared with `tokens`; a mismatch is a miss and is counted. Returns the blocks matched.
  std::uint32_t acquire_prefix(std::span<const block_identity> chain, block_hash root, std::span<const token_id> tokens, owner_id owner,
                               std::vector<block_index>& table, const turn_opening* opening = nullptr);
  /// The context of the owner's turn is this table, as far as it is cached: said before its leases end.
  void claim(owner_id owner, std::span<const block_index> table);
  /// How the answer to a turn that was opened here has ended; `how.stream` is ignored.
  void finish_turn(owner_id owner, turn_finish how);
  // retention_policy::foretold, take_outlooks, forget_outlooks and foresees.
  void foretell(owner_id owner, std::optional<std::uint64_t> turn, bool is_leaving);
  struct outlook {
    owner_id owner;
    std::uint64_t turn = 0;
    bool is_leaving = false;
    std::vector<block_index> blocks;  ///< parents before children; cached
  };
  std::vector<outlook> take_outlooks(std::uint32_t blocks, std::uint32_t slack);
  void forget_outlooks();
  [[nodiscard]] bool foresees() const noexcept;
  struct prefix_peek {
    std::uint32_t matched = 0;  ///< what acquire_prefix would return
    std::uint32_t idle = 0;     ///< of them, those that would no longer be available
  };
  [[nodiscard]] prefix_peek peek_prefix(std::span<const block_identity> chain, block_hash root, std::span<const token_id> tokens) const;
  /// Leases `count` private blocks of this tenant, evicting leaves if needed. All or nothing.
  bool acquire_private(std::uint32_t count, std::vector<block_index>& table, tenant_index tenant = 0);
  /// The same for up to `count` blocks of `owner` from `depth` on that may only displace what is worth less. Returns how many.
  struct newcomer {
    owner_id owner;
    std::uint32_t depth = 0;
    std::uint8_t rank = rank_default;
    tenant_index tenant = 0;
  };
  std::uint32_t acquire_worthwhile(std::uint32_t count, const newcomer& comes, std::vector<block_index>& table);
  /// How many private blocks could be leased now, by taking free blocks and evicting.
  [[nodiscard]] std::uint32_t available() const noexcept;

  /// Publishes a complete private block. If an equal block is cached already, the caller's lease moves to that one and its own block becomes
  /// free: the returned index replaces it in the table (the contents are bit-equal by batch invariance). `may_swap = false` keeps the caller's
  /// block private instead (a ticket in flight still names it), as when its parent is not cached. What is cached already is returned as it is.
  struct publish_options {
    bool may_swap = true;
    block_role role = block_role::unknown;
  };
  block_index publish(block_index block, const block_identity& identity, block_hash parent, std::span<const token_id> tokens,
                      owner_id owner, publish_options options);

  /// Ends one lease. A private block becomes free, a cached one stays until it is evicted or its last owner dies.
  /// A sequence releases its table from the end, so that deeper blocks are evicted first. Throws when there is no lease.
  void release(block_index block);

  /// Ends all ownership of `owner`. Blocks that nobody else owns and nobody leases become free at once, leaves first; leased
  /// ones when their lease ends. Returns the blocks freed now.
  std::uint32_t release_owner(owner_id owner, eviction_cause cause = eviction_cause::death);

  /// `heir` becomes an owner of these blocks as far as `owner` is one: before the release of `owner`. Parents before children.
  void bequeath(owner_id owner, owner_id heir, std::span<const block_identity> head);

  /// `owner` has no more use for these blocks, parents before children: it gives them up from the last one on, as far as it has no
  /// other block behind them. What nobody else owns becomes free as above. Returns the blocks freed now.
  std::uint32_t forget(owner_id owner, std::span<const block_identity> chain, eviction_cause cause);

  // For copies of cached blocks in other places. All of these need a cached block; its tokens are valid until it leaves.
  struct cached_block {
    block_identity identity;
    block_hash parent;
    std::span<const token_id> tokens;
    block_role role = block_role::unknown;
    tenant_index tenant = 0;
  };
  [[nodiscard]] cached_block describe(block_index block) const;
  [[nodiscard]] std::vector<owner_id> owners(block_index block) const;
  /// What its owners wish it to be worth, or its role says.
  [[nodiscard]] std::uint8_t rank(block_index block) const noexcept;
  [[nodiscard]] std::uint32_t owner_count(block_index block) const noexcept;
  /// Parents before children.
  [[nodiscard]] std::vector<block_index> blocks_of(owner_id owner) const;
  /// Makes `owner` an owner of the block and of all before it.
  void own(block_index block, owner_id owner);
  /// One lease more, ended by release().
  void lease(block_index block);

  /// Says what a sequence's leading blocks hold, where nobody has said it yet.
  void note_roles(std::span<const block_index> table, std::span<const role_range> ranges);
  /// The owner of an answer knows better; what is not here is passed over.
  void correct_roles(std::span<const told_role> told);

  /// What `owner` alone owns and nobody uses is the next to be evicted. Returns how many blocks that are.
  std::uint32_t demote_owner(owner_id owner);

  [[nodiscard]] bool is_cached(const block_hash& hash) const;
  [[nodiscard]] block_index find(const block_hash& hash) const;  ///< no_block: not cached
  [[nodiscard]] std::uint32_t leases(block_index block) const noexcept;
  [[nodiscard]] std::uint32_t block_count() const noexcept;
  [[nodiscard]] std::uint32_t block_tokens() const noexcept;
  [[nodiscard]] block_pool_counts counts() const noexcept;
  [[nodiscard]] const tenant_shares& tenants() const noexcept;  ///< blocks by tenant, private ones too
  /// Every cached block, parents before children: what a new router shard asks for.
  [[nodiscard]] std::vector<block_event> snapshot() const;
  /// Events since the last call. Call it after each operation or step: what nobody takes accumulates.
  std::vector<block_event> take_events();

  /// Verifies every invariant above; the text of the first violation, or nothing. O(blocks); tests call it after each operation.
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::core
