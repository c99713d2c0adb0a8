// What owners wish pinned in a store that outlives the process, and until when. Knows hashes and times, not blocks: a pin waits for a
// block that is not there yet. The newest generation of an owner replaces what it wished before.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/store/stored_block.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {

/// The first `blocks` of a chain are not to leave before `until`.
struct pinned_prefix {
  std::uint32_t blocks = 0;
  unix_ms until = 0;
};
struct stored_intent {
  owner_id owner;
  std::uint64_t generation = 0;
  std::span<const core::block_identity> chain;
  std::vector<pinned_prefix> prefixes;  ///< empty: it wishes nothing pinned
};

class stored_pins {
 public:
  explicit stored_pins(std::size_t pins_max = limits::stored_pins_max) : pins_max_(pins_max) {}

  /// Returns how many pins found no room here. An older generation than the one known changes nothing.
  std::uint64_t apply(const stored_intent& intent);
  /// The owner is gone.
  void release(owner_id owner);
  /// Ends what is due.
  void expire(unix_ms now);

  /// When the last wish for the block ends; 0: there is none.
  [[nodiscard]] unix_ms until(const block_hash& hash) const;
  /// Blocks that something was said of since the last call. Call it after each of the above.
  std::vector<block_hash> take_changes() { return std::exchange(changes_, {}); }
  [[nodiscard]] std::size_t blocks() const { return ends_.size(); }

 private:
  using pin = std::pair<block_hash, unix_ms>;
  struct standing_intent {
    std::uint64_t generation = 0;
    std::vector<pin> pins;
  };
  void add(standing_intent& to, const block_hash& hash, unix_ms until);
  void end(const pin& gone);

  std::size_t pins_max_, pins_ = 0;
  std::unordered_map<owner_id, standing_intent> owners_;  ///< until they are gone or their last pin has ended
  std::unordered_map<block_hash, std::vector<unix_ms>> ends_;  ///< one per owner that wishes it
  unix_ms next_end_ = 0;  ///< nothing is due before
  std::vector<block_hash> changes_;
};

}  // namespace troupe::store
