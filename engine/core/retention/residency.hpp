// The blocks that a pool keeps, as a forest: what a retention policy knows of them. A block may leave when it is idle (no running
// sequence reads it or a block below), has no child, and is not pinned. Ranks follow the tree: a parent ranks at least as high as its
// children, because it cannot leave before them.
#pragma once

#include <array>
#include <cstdint>
#include <queue>
#include <span>
#include <vector>

#include "engine/core/instant.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

/// Why a block left.
enum class eviction_cause : std::uint8_t { capacity, ttl, death, compaction, rewind, superseded, quota };
inline constexpr std::size_t eviction_causes = static_cast<std::size_t>(eviction_cause::quota) + 1;
std::string_view to_string(eviction_cause cause);

inline constexpr std::uint8_t rank_max = 100;

struct resident_block {
  block_index parent = no_block;
  block_index previous = no_block, next = no_block;  ///< in the queue of its rank
  std::uint32_t children = 0;
  std::uint32_t claims = 0;                         ///< streams whose current context contains it
  std::uint8_t rank = 0;                            ///< priority, 0 to rank_max; pinned: one more
  std::uint8_t priority = 0;                        ///< what the rank is again when a pin ends
  eviction_cause cause = eviction_cause::capacity;  ///< why nobody claims it any more
  bool is_resident = false, is_idle = false, is_queued = false;
  instant pinned_until{0};
};

class residency {
 public:
  explicit residency(std::uint32_t block_count) : blocks_(block_count) {}

  /// `block` is kept now, below `parent`; not idle yet.
  void store(block_index block, block_index parent);
  /// `block`, which has no child, is gone.
  void remove(block_index block);
  [[nodiscard]] const resident_block& operator[](block_index block) const { return blocks_[block]; }
  resident_block& operator[](block_index block) { return blocks_[block]; }

  /// Raises the rank of `block` and of all before it; false when it is not resident.
  bool raise(block_index block, std::uint8_t priority);
  bool pin(block_index block, instant until);
  /// Ends the pins whose time has come. A pin of time 0 ends never.
  void expire(instant now);

  /// The queue: blocks in the order in which they will leave, one list per rank, children before parents if put so.
  void append(block_index block);
  void prepend(block_index block);  ///< it leaves before all others of its rank
  void unlink(block_index block);
  /// The first block of the lowest rank below the pinned; no_block: none.
  [[nodiscard]] block_index first() const;

 private:
  struct list {
    block_index first = no_block, last = no_block;
  };
  void set_rank(block_index block, std::uint8_t rank);

  std::vector<resident_block> blocks_;
  std::array<list, rank_max + 2> lists_;
  std::array<std::uint64_t, 2> filled_{};  ///< which lists hold anything
  using pin_end = std::pair<instant, block_index>;
  std::priority_queue<pin_end, std::vector<pin_end>, std::greater<>> pins_;
};

}  // namespace troupe::core
