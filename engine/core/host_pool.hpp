// The blocks of one model in a node's host memory: a block_pool whose sequences are copies in and copies out. Several workers share it;
// each is a client with a number of its own. What is held is a prefix tree, as on a device, so an offered block whose parent has left
// is not taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/core/model/memory_region.hpp"
#include "engine/core/tier.hpp"

namespace troupe::core {

struct host_pool_options {
  std::uint32_t block_count = 0;
  std::uint32_t block_tokens = 32;
  std::uint64_t block_bytes = 0;
};

struct host_pool_counts {
  block_pool_counts blocks;
  std::uint64_t blocks_in = 0, blocks_out = 0;  ///< committed, granted for reading
  std::uint64_t refused = 0;                    ///< offered and neither held nor taken
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
  void touch(const chain_touch& touched);
  /// The client is gone: its slots are given up, its leases end.
  void forget(client_id client);
  /// Returns the blocks freed now.
  std::uint32_t release_owner(owner_id owner) { return pool_.release_owner(owner); }

  [[nodiscard]] std::vector<block_event> take_events() { return pool_.take_events(); }
  [[nodiscard]] std::vector<block_event> snapshot() const { return pool_.snapshot(); }
  [[nodiscard]] const host_pool_options& options() const noexcept { return options_; }
  [[nodiscard]] host_pool_counts counts() const noexcept;
  [[nodiscard]] bool is_cached(const block_hash& hash) const { return pool_.is_cached(hash); }
  /// The pool's invariants, and that slots and leases agree with its leases.
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  using key = std::pair<client_id, std::uint64_t>;
  struct writing {
    slot_request request;
    std::vector<block_index> slots;  ///< no_block: nothing is written
  };

  host_pool(const host_pool_options& options, std::shared_ptr<memory_region> memory);
  [[nodiscard]] std::byte* address(block_index block) const noexcept { return memory_->data() + block * options_.block_bytes; }
  block_index reserve(const tier_block& offered);
  block_index store(block_index slot, const tier_block& block, const std::vector<owner_id>& owners);
  void release(const std::vector<block_index>& table);

  host_pool_options options_;
  std::shared_ptr<memory_region> memory_;
  block_pool pool_;
  std::map<key, writing> writing_;
  std::map<key, std::vector<block_index>> reading_;
  std::uint64_t blocks_in_ = 0, blocks_out_ = 0, refused_ = 0;
};

}  // namespace troupe::core
