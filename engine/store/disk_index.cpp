#include "engine/store/disk_index.hpp"

#include <algorithm>

#include "engine/store/aligned_buffer.hpp"

namespace troupe::store {

std::uint64_t disk_entry::record_bytes() const { return whole_pages(front_bytes) + whole_pages(payload_bytes); }

disk_index::slot disk_index::find(const block_hash& hash, layout_id layout) const {
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return none;
  auto slot = found->second;
  while (slot != none && nodes_[slot].entry.layout != layout) slot = nodes_[slot].same_hash;
  return slot;
}

disk_index::segment_share disk_index::share_of(std::uint64_t segment) const {
  const auto found = segments_.find(segment);
  return found == segments_.end() ? segment_share{} : found->second;
}

bool disk_index::is_valued(const disk_entry& entry) const {
  return entry.hits > 0 || entry.retention.priority >= valued_priority_ || entry.pin == pin_mark::pinned;
}

disk_index::slot disk_index::insert(const disk_entry& entry) {
  slot slot = none;
  if (free_.empty()) {
    slot = static_cast<disk_index::slot>(nodes_.size());
    nodes_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  const auto [head, is_new] = by_hash_.try_emplace(entry.block.hash, none);
  nodes_[slot] = {entry, head->second, none, none, true};
  head->second = slot;
  if (entry.retention.expires != 0) by_expiry_.emplace(entry.retention.expires, slot);
  bytes_ += entry.record_bytes();
  ++count_of(entry);
  enter_segment(slot);
  return slot;
}

disk_entry disk_index::remove(slot slot) {
  auto& node = nodes_[slot];
  leave_segment(slot);
  const auto head = by_hash_.find(node.entry.block.hash);
  auto* link = &head->second;
  while (*link != slot) link = &nodes_[*link].same_hash;
  *link = node.same_hash;
  if (head->second == none) by_hash_.erase(head);
  if (node.entry.retention.expires != 0) by_expiry_.erase({node.entry.retention.expires, slot});
  bytes_ -= node.entry.record_bytes();
  --count_of(node.entry);
  node.used = false;
  free_.push_back(slot);
  return node.entry;
}

void disk_index::move(slot slot, std::uint64_t segment, std::uint64_t offset) {
  leave_segment(slot);
  auto& entry = nodes_[slot].entry;
  entry.segment = segment;
  entry.offset = offset;
  entry.hits = 0;
  enter_segment(slot);
}

void disk_index::mark_used(slot slot) {
  auto& entry = nodes_[slot].entry;
  if (!is_valued(entry)) segments_[entry.segment].valued_bytes += entry.record_bytes();
  if (entry.hits != ~std::uint32_t{0}) ++entry.hits;
}

void disk_index::mark_pin(slot slot, pin_mark mark) {
  auto& entry = nodes_[slot].entry;
  if (entry.pin == mark) return;
  auto& share = segments_[entry.segment];
  if (is_valued(entry)) share.valued_bytes -= entry.record_bytes();
  uncount_pin(entry);
  entry.pin = mark;
  count_pin(entry);
  if (is_valued(entry)) share.valued_bytes += entry.record_bytes();
}

void disk_index::count_pin(const disk_entry& entry) {
  if (entry.pin != pin_mark::pinned) return;
  auto& share = segments_[entry.segment];
  ++share.pinned_blocks;
  share.pinned_bytes += entry.record_bytes();
  ++pinned_blocks_;
  pinned_bytes_ += entry.record_bytes();
}

void disk_index::uncount_pin(const disk_entry& entry) {
  if (entry.pin != pin_mark::pinned) return;
  auto& share = segments_[entry.segment];
  --share.pinned_blocks;
  share.pinned_bytes -= entry.record_bytes();
  --pinned_blocks_;
  pinned_bytes_ -= entry.record_bytes();
}

void disk_index::refresh(slot slot, const stored_retention& retention) {
  auto& entry = nodes_[slot].entry;
  const bool was_valued = is_valued(entry);
  --count_of(entry);
  entry.retention.role = retention.role;
  ++count_of(entry);
  entry.retention.priority = std::max(entry.retention.priority, retention.priority);
  if (!was_valued && is_valued(entry)) segments_[entry.segment].valued_bytes += entry.record_bytes();
  if (entry.retention.expires == 0 || (retention.expires != 0 && retention.expires <= entry.retention.expires)) return;
  by_expiry_.erase({entry.retention.expires, slot});
  entry.retention.expires = retention.expires;
  if (retention.expires != 0) by_expiry_.emplace(retention.expires, slot);
}

disk_index::slot disk_index::expired(unix_ms now) const {
  return by_expiry_.empty() || by_expiry_.begin()->first > now ? none : by_expiry_.begin()->second;
}

std::vector<disk_index::slot> disk_index::of_segment(std::uint64_t segment) const {
  std::vector<slot> slots;
  for (auto slot = share_of(segment).first; slot != none; slot = nodes_[slot].next) slots.push_back(slot);
  return slots;
}

std::vector<disk_index::slot> disk_index::of_hash(const block_hash& hash) const {
  std::vector<slot> slots;
  const auto found = by_hash_.find(hash);
  for (auto slot = found == by_hash_.end() ? none : found->second; slot != none; slot = nodes_[slot].same_hash) slots.push_back(slot);
  return slots;
}

std::vector<disk_index::slot> disk_index::all() const {
  std::vector<slot> slots;
  for (slot slot = 0; slot < nodes_.size(); ++slot)
    if (nodes_[slot].used) slots.push_back(slot);
  return slots;
}

void disk_index::enter_segment(slot slot) {
  auto& node = nodes_[slot];
  auto& share = segments_[node.entry.segment];
  ++share.blocks;
  share.bytes += node.entry.record_bytes();
  if (is_valued(node.entry)) share.valued_bytes += node.entry.record_bytes();
  count_pin(node.entry);
  node.previous = none;
  node.next = share.first;
  if (share.first != none) nodes_[share.first].previous = slot;
  share.first = slot;
}

void disk_index::leave_segment(slot slot) {
  auto& node = nodes_[slot];
  const auto found = segments_.find(node.entry.segment);
  auto& share = found->second;
  --share.blocks;
  share.bytes -= node.entry.record_bytes();
  if (is_valued(node.entry)) share.valued_bytes -= node.entry.record_bytes();
  uncount_pin(node.entry);
  (node.previous == none ? share.first : nodes_[node.previous].next) = node.next;
  if (node.next != none) nodes_[node.next].previous = node.previous;
  if (share.blocks == 0) segments_.erase(found);
}

std::optional<std::string> disk_index::check_integrity() const {
  std::size_t by_segment = 0, chained = 0;
  std::array<std::uint64_t, core::block_roles> by_role{};
  std::uint64_t bytes = 0, pinned_bytes = 0;
  for (const auto& [id, share] : segments_) {
    segment_share seen;
    for (const auto slot : of_segment(id)) {
      const auto& entry = at(slot);
      if (entry.segment != id || !nodes_[slot].used) return "a segment lists a block that is not its own";
      ++seen.blocks;
      ++by_role[static_cast<std::size_t>(core::role_of_number(entry.retention.role))];
      seen.bytes += entry.record_bytes();
      if (is_valued(entry)) seen.valued_bytes += entry.record_bytes();
      if (entry.pin == pin_mark::pinned) seen.pinned_bytes += entry.record_bytes();
    }
    if (seen.blocks != share.blocks || seen.bytes != share.bytes || seen.valued_bytes != share.valued_bytes ||
        seen.pinned_bytes != share.pinned_bytes)
      return "a segment's share differs from its blocks";
    by_segment += seen.blocks;
    bytes += seen.bytes;
    pinned_bytes += seen.pinned_bytes;
  }
  if (pinned_bytes != pinned_bytes_) return "the pinned bytes are miscounted";
  for (const auto& [hash, head] : by_hash_)
    for (const auto slot : of_hash(hash)) {
      if (!nodes_[slot].used || at(slot).block.hash != hash) return "a hash leads to another block";
      if (find(hash, at(slot).layout) != slot) return "a hash is stored twice under one layout";
      ++chained;
    }
  if (by_segment != size() || chained != size() || bytes != bytes_) return "hashes, segments and blocks differ in number";
  if (by_role != by_role_) return "the counts by role differ from the blocks";
  for (const auto& [expires, slot] : by_expiry_)
    if (!nodes_[slot].used || at(slot).retention.expires != expires) return "an expiry names no block";
  return std::nullopt;
}

}  // namespace troupe::store
