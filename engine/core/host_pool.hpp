// The blocks of one model in a node's host memory: a block_pool whose sequences are copies in and copies out. Several workers share it;
// each is a client with a number of its own. What is held is a prefix tree, as on a device, so an offered block whose parent has left
// is not taken.
//
// Above stores (disk, remote) it is also their only client: what is used again after it was stored is put down once, and what a sequence
// lacks here is fetched into reserved slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/core/lower_store.hpp"
#include "engine/core/model/memory_region.hpp"
#include "engine/core/tier.hpp"

namespace troupe::core {

struct host_pool_options {
  std::uint32_t block_count = 0;
  std::uint32_t block_tokens = 32;
  std::uint64_t block_bytes = 0;
  bool has_stores = false;  ///< there is something to put blocks into
  std::string retention = "lru";
  double pinned_share_max = 0.5;
  std::vector<tenant_share> tenants = {};
};

struct host_pool_counts {
  block_pool_counts blocks;
  std::uint64_t blocks_in = 0, blocks_out = 0;  ///< committed, granted for reading
  std::uint64_t refused = 0;                    ///< offered and neither held nor taken
  std::uint64_t put = 0, loaded = 0;            ///< into stores, from stores
  std::uint64_t given_up = 0;                   ///< of puts that took too long
};

class host_pool {
 public:
  using client_id = std::uint64_t;

  /// Fails with invalid_request (a number is 0) or io_failed (no memory).
  static expected<std::unique_ptr<host_pool>> make(const host_pool_options& options);

  slot_grant reserve(client_id client, const slot_request& request);
  void commit(client_id client, const slot_commit& commit);
  lease_grant lease(client_id client, const lease_request& request);
  void end(client_id client, const lease_end& ended);
  void touch(client_id client, const chain_touch& touched);
  void apply(const block_intents::intent& all) { pool_.apply(all); }
  void finish(const turn_closing& closing);
  void apply(const turn_outlook& outlook) { pool_.foretell(outlook.owner, outlook.turn, outlook.is_leaving); }
  void forget_chain(owner_id owner, std::span<const block_identity> chain, eviction_cause cause) { pool_.forget(owner, chain, cause); }
  /// What is done from here on is done at `now`.
  void set_time(instant now) { pool_.set_time(now); }
  /// The client is gone: its slots are given up, its leases end.
  void forget(client_id client);
  /// Returns the blocks freed now that never had another owner as far as this pool knows.
  std::vector<block_hash> release_owner(owner_id owner, eviction_cause cause = eviction_cause::death);
  void bequeath(owner_id owner, owner_id heir, std::span<const block_identity> head) { pool_.bequeath(owner, heir, head); }

  // For the stores below.
  /// How many leading blocks of the chain are here.
  [[nodiscard]] std::uint32_t held(const tier_chain& chain) const;
  /// Leases what is here of the chain and reserves slots for up to `count` blocks behind it, fewer when there is no room.
  store_get begin_load(std::uint64_t load, const lease_request& request, std::uint32_t count);
  /// The first `arrived` of them are there.
  void end_load(std::uint64_t load, std::uint32_t arrived, std::span<const block_role> roles = {});
  /// What has been used again since it was stored, and again when an owner that its limit does not bind comes to use it; one batch is
  /// under way at a time.
  std::optional<store_put> next_put();
  void end_put(bool is_complete);
  /// The batch under way takes too long: its blocks are as if they had not been put, but leased until the last store is done with them.
  void give_up_put();
  void end_given_up(std::uint64_t transfer);

  [[nodiscard]] std::vector<block_event> take_events() { return pool_.take_events(); }
  [[nodiscard]] std::vector<block_event> snapshot() const { return pool_.snapshot(); }
  [[nodiscard]] const host_pool_options& options() const noexcept { return options_; }
  [[nodiscard]] host_pool_counts counts() const noexcept;
  [[nodiscard]] const tenant_shares& tenants() const noexcept { return pool_.tenants(); }
  [[nodiscard]] bool is_cached(const block_hash& hash) const { return pool_.is_cached(hash); }
  /// The pool's invariants, and that slots and leases agree with its leases.
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  using key = std::pair<client_id, std::uint64_t>;
  struct writing {
    slot_request request;
    std::vector<block_index> slots;  ///< no_block: nothing is written
  };

  struct open_turn {
    client_id client = 0;
    std::uint64_t turn = 0;
    bool is_running = true;
  };
  struct loading {
    lease_request request;
    std::vector<block_index> table;  ///< [0, first) here, leased. [first, end) private, arriving.
    std::uint32_t first = 0;
  };

  host_pool(const host_pool_options& options, std::shared_ptr<memory_region> memory);
  void note_use(const std::vector<block_index>& table);
  [[nodiscard]] std::byte* address(block_index block) const noexcept { return memory_->data() + block * options_.block_bytes; }
  block_index reserve(const tier_block& offered, std::span<const block_hash> granted);
  void note_opening(client_id client, owner_id owner, const std::optional<turn_opening>& opening);
  block_index store(block_index slot, const tier_block& block, const std::vector<owner_id>& owners);
  void release(const std::vector<block_index>& table);

  host_pool_options options_;
  std::shared_ptr<memory_region> memory_;
  block_pool pool_;
  std::map<key, writing> writing_;
  std::map<key, std::vector<block_index>> reading_;
  std::map<std::uint64_t, loading> loading_;
  std::unordered_map<owner_id, std::vector<open_turn>> open_turns_;  ///< of each client the last, whose context it may keep
  std::vector<tier_level> offered_to_;  ///< by block: the lowest tier that it may have been put into; host: none
  std::vector<bool> was_shared_;        ///< by block: it has had several owners, or came from a store
  std::deque<block_hash> to_put_;
  std::vector<block_index> putting_;    ///< leased
  std::map<std::uint64_t, std::vector<block_index>> given_up_;  ///< leased, by transfer
  std::uint64_t transfers_ = 0;
  std::uint64_t blocks_in_ = 0, blocks_out_ = 0, refused_ = 0, put_ = 0, loaded_ = 0, blocks_given_up_ = 0;
};

}  // namespace troupe::core
