#include "engine/core/retention/residency.hpp"

#include <array>

namespace troupe::core {
namespace {

constexpr int rank_shift = 56;  // 2^56 appends outlast any pool

}  // namespace

std::string_view to_string(eviction_cause cause) {
  constexpr std::array<std::string_view, eviction_causes> names{"capacity", "ttl", "death", "compaction", "rewind", "superseded", "quota"};
  return names[static_cast<std::size_t>(cause)];
}

void residency::store(block_index block, block_index parent) {
  if (block >= blocks_.size()) blocks_.resize(std::size_t{block} + 1);
  blocks_[block] = {};
  blocks_[block].parent = parent;
  if (parent == no_block) return;
  if (is_candidate(blocks_[parent])) leaves_.erase(parent, blocks_[parent].tenant);
  ++blocks_[parent].children;
}

void residency::remove(block_index block) {
  unlink(block);
  const block_index parent = blocks_[block].parent;
  blocks_[block] = {};
  if (parent == no_block) return;
  --blocks_[parent].children;
  place(parent);
}

void residency::place(block_index block) {
  const resident_block& at = blocks_[block];
  if (is_candidate(at)) leaves_.put(block, std::uint64_t{at.rank} << rank_shift | at.queued_at, at.tenant);
}

void residency::append(block_index block) {
  blocks_[block].queued_at = ++appends_;
  place(block);
}

void residency::prepend(block_index block) {
  blocks_[block].queued_at = --prepends_;
  place(block);
}

void residency::unlink(block_index block) {
  if (is_candidate(blocks_[block])) leaves_.erase(block, blocks_[block].tenant);
  blocks_[block].queued_at = 0;
}

block_index residency::first() const {
  if (leaves_.empty() || leaves_.key(leaves_.first()) >> rank_shift >= rank_pinned) return no_block;
  return leaves_.first();
}

block_index residency::first(tenant_index tenant) const {
  if (leaves_.empty(tenant) || leaves_.key(leaves_.first(tenant)) >> rank_shift >= rank_pinned) return no_block;
  return leaves_.first(tenant);
}

void residency::set_rank(block_index block, std::uint8_t rank) {
  blocks_[block].rank = rank;
  place(block);
}

}  // namespace troupe::core
