#include "engine/core/block_owners.hpp"

namespace troupe::core {

std::uint32_t block_owners::find_owner(owner_id owner) const {
  return owner_index_.find_if(owner.value, [&](std::uint32_t at) { return owners_[at].id == owner; });
}

std::uint32_t block_owners::intern_owner(owner_id owner) {
  std::uint32_t at = find_owner(owner);
  if (at != none) return at;
  if (free_owners_.empty()) {
    at = static_cast<std::uint32_t>(owners_.size());
    owners_.emplace_back();
  } else {
    at = free_owners_.back();
    free_owners_.pop_back();
  }
  owners_[at] = {owner, none, 0};
  owner_index_.insert(owner.value, at);
  return at;
}

bool block_owners::owns(owner_id owner, block_index block) const {
  const std::uint32_t at = find_owner(owner);
  return at != none && index_.find(key(at, block)) != none;
}

std::vector<owner_id> block_owners::of(block_index block) const {
  std::vector<owner_id> owners;
  for (std::uint32_t at = blocks_[block].first; at != none; at = records_[at].block_next) owners.push_back(owners_[records_[at].owner].id);
  return owners;
}

std::vector<block_index> block_owners::of(owner_id owner) const {
  std::vector<block_index> blocks;
  const std::uint32_t known = find_owner(owner);
  if (known == none) return blocks;
  for (std::uint32_t at = owners_[known].first; at != none; at = records_[at].owner_next) blocks.push_back(records_[at].block);
  return blocks;
}

bool block_owners::add(owner_id owner, block_index block) {
  block_entry& held = blocks_[block];
  if (held.first != none && owners_[records_[held.first].owner].id == owner) return false;  // the usual case: the last one again
  const std::uint32_t at = intern_owner(owner);
  if (index_.find(key(at, block)) != none) return false;
  std::uint32_t fresh = static_cast<std::uint32_t>(records_.size());
  if (free_records_.empty()) {
    records_.emplace_back();
  } else {
    fresh = free_records_.back();
    free_records_.pop_back();
  }
  owner_entry& holder = owners_[at];
  records_[fresh] = {at, block, holder.first, none, held.first, none};
  if (holder.first != none) records_[holder.first].owner_previous = fresh;
  if (held.first != none) records_[held.first].block_previous = fresh;
  holder.first = held.first = fresh;
  ++holder.count;
  ++held.count;
  index_.insert(key(at, block), fresh);
  return true;
}

void block_owners::unlink(std::uint32_t at) {
  const record gone = records_[at];
  owner_entry& holder = owners_[gone.owner];
  block_entry& held = blocks_[gone.block];
  (gone.owner_previous == none ? holder.first : records_[gone.owner_previous].owner_next) = gone.owner_next;
  if (gone.owner_next != none) records_[gone.owner_next].owner_previous = gone.owner_previous;
  (gone.block_previous == none ? held.first : records_[gone.block_previous].block_next) = gone.block_next;
  if (gone.block_next != none) records_[gone.block_next].block_previous = gone.block_previous;
  --held.count;
  index_.erase(key(gone.owner, gone.block), at);
  free_records_.push_back(at);
  if (--holder.count == 0) {
    owner_index_.erase(holder.id.value, gone.owner);
    free_owners_.push_back(gone.owner);
  }
}

bool block_owners::remove(owner_id owner, block_index block) {
  const std::uint32_t at = find_owner(owner);
  const std::uint32_t found = at == none ? none : index_.find(key(at, block));
  if (found == none) return false;
  unlink(found);
  return true;
}

void block_owners::forget_block(block_index block) {
  while (blocks_[block].first != none) unlink(blocks_[block].first);
}

void block_owners::release(owner_id owner, std::vector<block_index>& unowned) {
  const std::uint32_t at = find_owner(owner);
  if (at == none) return;
  for (std::uint32_t left = owners_[at].count; left > 0; --left) {
    const std::uint32_t first = owners_[at].first;
    const block_index block = records_[first].block;
    unlink(first);
    if (blocks_[block].count == 0) unowned.push_back(block);
  }
}

bool block_owners::covers(block_index other, block_index block) const {
  for (std::uint32_t at = blocks_[block].first; at != none; at = records_[at].block_next) {
    if (index_.find(key(records_[at].owner, other)) == none) return false;
  }
  return true;
}

std::optional<std::string> block_owners::check_integrity() const {
  std::size_t by_block = 0;
  for (block_index block = 0; block < blocks_.size(); ++block) {
    std::uint32_t count = 0;
    for (std::uint32_t at = blocks_[block].first; at != none; at = records_[at].block_next, ++count) {
      if (records_[at].block != block) return "an ownership record hangs at the wrong block " + std::to_string(block);
      if (index_.find(key(records_[at].owner, block)) != at) return "an ownership record is not indexed, block " + std::to_string(block);
    }
    if (count != blocks_[block].count) return "owner count differs from the owners of block " + std::to_string(block);
    by_block += count;
  }
  std::size_t by_owner = 0;
  for (const owner_entry& owner : owners_) by_owner += owner.count;
  if (by_block != index_.size() || by_owner != index_.size()) return std::string("ownership records are lost or counted twice");
  if (records_.size() - free_records_.size() != index_.size()) return std::string("ownership records leak");
  return std::nullopt;
}

}  // namespace troupe::core
