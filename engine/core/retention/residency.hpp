// The blocks that a pool keeps, as a forest: what a retention policy knows of them. A block may leave when it is idle (no running
// sequence reads it or a block below), has no child, and is not pinned. Ranks are told by whoever holds the marks (block_marks). A mark
// below the default concerns the blocks it names alone, so a parent may rank lower than its children: it still leaves after them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/retention/tenant_heap.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

/// Where blocks may lie, the highest first.
enum class tier_level : std::uint8_t { device, host, disk, remote };

/// Why a block left.
enum class eviction_cause : std::uint8_t { capacity, ttl, death, compaction, rewind, superseded, quota };
inline constexpr std::size_t eviction_causes = static_cast<std::size_t>(eviction_cause::quota) + 1;
std::string_view to_string(eviction_cause cause);

inline constexpr std::uint8_t rank_max = 100;
inline constexpr std::uint8_t rank_default = 35;           ///< the field's usual priority of what nobody marked
inline constexpr std::uint8_t rank_pinned = rank_max + 1;  ///< never a victim

struct resident_block {
  block_index parent = no_block;
  std::uint32_t children = 0;
  std::uint32_t claims = 0;                         ///< streams whose current context contains it
  std::uint64_t queued_at = 0;                      ///< a number that grows; 0: not queued
  std::uint8_t rank = rank_default;                 ///< 0 to rank_max, or rank_pinned
  eviction_cause cause = eviction_cause::capacity;  ///< why nobody claims it any more
  bool is_idle = false;
  tenant_index tenant = 0;
};

class residency {
 public:
  explicit residency(std::uint32_t block_count, std::size_t tenants = 0) : blocks_(block_count), leaves_(tenants) {}

  /// `block` is kept now, below `parent`; not idle yet.
  void store(block_index block, block_index parent);
  /// Of a block that was just stored.
  void set_tenant(block_index block, tenant_index tenant) { blocks_[block].tenant = tenant; }
  /// `block`, which has no child, is gone.
  void remove(block_index block);
  [[nodiscard]] const resident_block& operator[](block_index block) const { return blocks_[block]; }
  resident_block& operator[](block_index block) { return blocks_[block]; }

  /// The block, which is kept, keeps its number in the queue too.
  void set_rank(block_index block, std::uint8_t rank);

  /// The queue: by rank, then in the order of append.
  void append(block_index block);
  void prepend(block_index block);  ///< before all others of its rank
  void unlink(block_index block);
  /// The first queued block without a child, of the lowest rank below the pinned; no_block: none.
  [[nodiscard]] block_index first() const;
  [[nodiscard]] block_index first(tenant_index tenant) const;  ///< the same of its blocks only
  /// Queued blocks without a child: only these are compared, however many queued blocks wait above them.
  [[nodiscard]] std::size_t candidates() const { return leaves_.size(); }

 private:
  static bool is_candidate(const resident_block& at) { return at.queued_at != 0 && at.children == 0; }
  void place(block_index block);  ///< in leaves_, if it is a candidate

  std::vector<resident_block> blocks_;
  /// All candidates; keys: rank in the highest byte, queued_at below. A queued block with children is not in it; it comes in, with the
  /// number that it got when it was queued, when its last child goes. So no look-up ever steps over a block that cannot leave yet.
  tenant_heap<std::uint64_t> leaves_;
  std::uint64_t appends_ = std::uint64_t{1} << 55, prepends_ = appends_;  // the middle of what a key has room for
};

}  // namespace troupe::core
