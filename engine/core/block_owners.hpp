// Which owners a cached block has, and which blocks an owner has. One record per (owner, block), linked into both lists, so that an
// evicted block leaves its owners and a dead owner its blocks in time proportional to what is removed; no record outlives either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/flat_table.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

class block_owners {
 public:
  explicit block_owners(std::uint32_t block_count) : blocks_(block_count) {}

  /// False when `owner` has the block already.
  bool add(owner_id owner, block_index block);
  /// False when `owner` does not have the block.
  bool remove(owner_id owner, block_index block);
  [[nodiscard]] bool owns(owner_id owner, block_index block) const;
  [[nodiscard]] std::uint32_t count(block_index block) const noexcept { return blocks_[block].count; }
  [[nodiscard]] std::vector<owner_id> of(block_index block) const;
  [[nodiscard]] std::vector<block_index> of(owner_id owner) const;
  /// The block has left the cache: nobody owns it.
  void forget_block(block_index block);
  /// Ends all ownership of `owner`; appends the blocks that nobody owns now.
  void release(owner_id owner, std::vector<block_index>& unowned);
  [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
  /// True when `other` has every owner of `block`: a chain is owned as a whole.
  [[nodiscard]] bool covers(block_index other, block_index block) const;
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  static constexpr std::uint32_t none = flat_table::none;
  struct record {
    std::uint32_t owner = none;  ///< into owners_
    block_index block = no_block;
    std::uint32_t owner_next = none, owner_previous = none;
    std::uint32_t block_next = none, block_previous = none;
  };
  struct owner_entry {
    owner_id id;
    std::uint32_t first = none;
    std::uint32_t count = 0;
  };
  struct block_entry {
    std::uint32_t first = none;
    std::uint32_t count = 0;
  };

  static std::uint64_t key(std::uint32_t owner, block_index block) { return std::uint64_t{owner} << 32 | block; }
  [[nodiscard]] std::uint32_t find_owner(owner_id owner) const;
  std::uint32_t intern_owner(owner_id owner);
  void unlink(std::uint32_t at);

  flat_table index_;        ///< (owner, block) -> record
  flat_table owner_index_;  ///< owner id -> owners_
  std::vector<record> records_;
  std::vector<owner_entry> owners_;
  std::vector<block_entry> blocks_;
  std::vector<std::uint32_t> free_records_, free_owners_;
};

}  // namespace troupe::core
