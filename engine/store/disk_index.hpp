// Which blocks a disk store holds and where: by hash (a hash may be stored under several layouts), by segment, by expiry. Knows no
// files. A segment's valued bytes are those that a reclaim would like to carry over.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/block_role.hpp"
#include "engine/store/stored_block.hpp"

namespace troupe::store {

/// clipped: wished, but the share for pins is full.
enum class pin_mark : std::uint8_t { none, pinned, clipped };

/// One block on disk. Its front begins at `offset`, its payload at the next page after the front.
struct disk_entry {
  core::block_identity block;
  block_hash parent;
  layout_id layout;
  scope_id scope;
  stored_retention retention;
  std::uint64_t check = 0;  ///< identity_check; 0: not known
  std::uint64_t segment = 0, offset = 0;
  std::uint32_t front_bytes = 0, payload_bytes = 0;
  std::uint32_t hits = 0;                            ///< loads since it was written to its segment
  pin_mark pin = pin_mark::none;
  [[nodiscard]] std::uint64_t record_bytes() const;  ///< whole pages
};

class disk_index {
 public:
  using slot = std::uint32_t;
  static constexpr slot none = ~slot{0};
  struct segment_share {
    std::uint32_t blocks = 0;
    std::uint64_t bytes = 0, valued_bytes = 0;
    std::uint32_t pinned_blocks = 0;
    std::uint64_t pinned_bytes = 0;
    slot first = none;
  };

  /// Blocks of at least this priority are valued without a hit, pinned ones in any case.
  explicit disk_index(std::uint8_t valued_priority) : valued_priority_(valued_priority) {}

  [[nodiscard]] slot find(const block_hash& hash, layout_id layout) const;
  [[nodiscard]] bool has(const block_hash& hash) const { return by_hash_.contains(hash); }
  [[nodiscard]] const disk_entry& at(slot slot) const { return nodes_[slot].entry; }
  [[nodiscard]] std::size_t size() const { return nodes_.size() - free_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t pinned_blocks() const { return pinned_blocks_; }
  [[nodiscard]] std::uint64_t pinned_bytes() const { return pinned_bytes_; }
  [[nodiscard]] const std::array<std::uint64_t, core::block_roles>& by_role() const { return by_role_; }
  [[nodiscard]] segment_share share_of(std::uint64_t segment) const;
  [[nodiscard]] bool is_valued(const disk_entry& entry) const;

  /// The caller has removed an entry of equal hash and layout before.
  slot insert(const disk_entry& entry);
  disk_entry remove(slot slot);
  void move(slot slot, std::uint64_t segment, std::uint64_t offset);  ///< forgets its hits
  void mark_used(slot slot);
  void mark_pin(slot slot, pin_mark mark);
  /// Priority and expiry grow to those of `retention`; the role is taken over.
  void refresh(slot slot, const stored_retention& retention);
  /// A block whose expiry is not after `now`.
  [[nodiscard]] slot expired(unix_ms now) const;

  [[nodiscard]] std::vector<slot> of_segment(std::uint64_t segment) const;
  [[nodiscard]] std::vector<slot> of_hash(const block_hash& hash) const;
  [[nodiscard]] std::vector<slot> all() const;
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  struct node {
    disk_entry entry;
    slot same_hash = none;              ///< the next layout of this hash
    slot previous = none, next = none;  ///< in its segment
    bool used = false;
  };
  std::uint64_t& count_of(const disk_entry& entry) { return by_role_[static_cast<std::size_t>(core::role_of_number(entry.retention.role))]; }
  void enter_segment(slot slot);
  void leave_segment(slot slot);
  /// Adds what its pin changes in the shares, or takes it away before it changes.
  void count_pin(const disk_entry& entry);
  void uncount_pin(const disk_entry& entry);

  std::uint8_t valued_priority_;
  std::vector<node> nodes_;
  std::vector<slot> free_;
  std::unordered_map<block_hash, slot> by_hash_;
  std::unordered_map<std::uint64_t, segment_share> segments_;
  std::set<std::pair<unix_ms, slot>> by_expiry_;
  std::uint64_t bytes_ = 0, pinned_bytes_ = 0;
  std::uint32_t pinned_blocks_ = 0;
  std::array<std::uint64_t, core::block_roles> by_role_{};
};

}  // namespace troupe::store
