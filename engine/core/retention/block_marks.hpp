// Wishes about the rank of kept blocks: they overlap, end in any order, and outlive the blocks they named. Each marked block counts its
// marks by rank, so the end of one uncovers exactly what the others say. Nothing here reads a clock: who made a mark ends it.
//
// A mark of rank_default or more holds for all blocks before its own too, because a prefix cannot leave before what builds on it. A
// lower one holds for the blocks it names alone: a prefix that others share is not let go for the sake of one.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/core/retention/residency.hpp"

namespace troupe::core {

/// Names one mark, never reused.
enum class mark_id : std::uint64_t {};

struct rank_change {
  block_index block = no_block;
  std::uint8_t rank = rank_default;
  bool operator==(const rank_change&) const = default;
};

class block_marks {
 public:
  explicit block_marks(std::uint32_t block_count) : places_(block_count) {}

  void stored(block_index block, block_index parent);
  /// A block without children has left. Its marks go over to its parent; a mark that has nothing left to hold for ends, and keeps its
  /// id until it is erased.
  void removed(block_index block);

  /// A wish for `block` and the `blocks` - 1 before it: 0 to rank_max; what is above is rank_pinned. A block that is not here, or a
  /// range of none, gives a mark that has ended. Costs the length of the range, of the whole chain from rank_default on.
  mark_id add(block_index block, std::uint32_t blocks, std::uint8_t rank);
  /// Nothing happens when it was erased before.
  void erase(mark_id id);

  /// The highest of its marks; rank_default without any.
  [[nodiscard]] std::uint8_t rank_of(block_index block) const;
  /// Blocks that are here and whose rank is another than this last said; a stored block begins with rank_default. Call it after each
  /// change: what is not taken piles up.
  std::vector<rank_change> take_changes();

  /// Marks not erased yet, ended ones included.
  [[nodiscard]] std::size_t marks() const { return marks_.size() - free_marks_.size(); }
  /// Blocks that something is remembered of.
  [[nodiscard]] std::size_t marked_blocks() const { return records_.size() - free_records_.size(); }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0}, absent = none - 1;

  struct place {
    block_index parent = no_block;
    std::uint32_t record = absent;  ///< none: here, without marks
  };
  struct mark {
    block_index block = no_block;  ///< the last one it holds for; no_block: it has ended
    std::uint32_t blocks = 0;      ///< of a low mark, and maybe more than there are
    std::uint32_t generation = 0;
    std::uint32_t previous = none, next = none;  ///< others that end at the same block
    std::uint8_t rank = rank_default;
  };
  struct record {
    std::vector<std::pair<std::uint8_t, std::uint32_t>> counts;  ///< rank and marks that say so, ascending
    std::uint32_t first_mark = none;
    std::uint8_t known = rank_default;  ///< what take_changes last said
    bool is_listed = false;             ///< in changed_
  };

  [[nodiscard]] bool is_here(block_index block) const { return block < places_.size() && places_[block].record != absent; }
  record& record_of(block_index block);
  void count_up(block_index block, std::uint8_t rank);
  void count_down(block_index block, std::uint8_t rank);
  void list(block_index block, record& at);
  void drop_if_empty(block_index block);
  void link(std::uint32_t slot, block_index block);
  void unlink(std::uint32_t slot);
  /// Calls `visit` with each block that the mark holds for.
  template <class Visit>
  void each_block(const mark& of, Visit visit) const;

  std::vector<place> places_;
  std::vector<record> records_;
  std::vector<mark> marks_;
  std::vector<std::uint32_t> free_records_, free_marks_;
  std::vector<block_index> changed_;  ///< may name a block twice, or one that has left
};

}  // namespace troupe::core
