// Sets of holders, each stored once and named by a small number: equal sets have equal numbers, so that a walk down a chain compares
// integers and looks into a set only where holders change. Counted by reference; number 0 is the empty set.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/flat_table.hpp"

namespace troupe::core {

class holder_sets {
 public:
  using set_id = std::uint32_t;
  static constexpr set_id empty = 0;

  holder_sets() { sets_.emplace_back(); }

  /// Ascending.
  [[nodiscard]] std::span<const std::uint32_t> members(set_id set) const { return sets_[set].members; }
  [[nodiscard]] bool contains(set_id set, std::uint32_t holder) const;
  /// set + holder. The result counts no reference yet; it lives until the next release() of a last reference.
  set_id with(set_id set, std::uint32_t holder);
  set_id without(set_id set, std::uint32_t holder);
  void retain(set_id set) { ++sets_[set].references; }
  void release(set_id set);

 private:
  struct entry {
    std::vector<std::uint32_t> members;
    std::uint64_t hash = 0;  ///< the sum of the members' hashes: a change of one member changes it in O(1)
    std::uint64_t references = 0;
  };
  set_id intern(std::uint64_t hash);

  std::vector<entry> sets_;
  std::vector<set_id> free_;
  std::vector<std::uint32_t> scratch_;
  flat_table index_;
};

}  // namespace troupe::core
