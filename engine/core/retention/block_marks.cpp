#include "engine/core/retention/block_marks.hpp"

#include <algorithm>

namespace troupe::core {

template <class Visit>
void block_marks::each_block(const mark& of, Visit visit) const {
  std::uint32_t left = of.rank >= rank_default ? none : of.blocks;
  for (block_index at = of.block; at != no_block && left > 0; at = places_[at].parent, --left) visit(at);
}

void block_marks::stored(block_index block, block_index parent) {
  if (block >= places_.size()) places_.resize(std::size_t{block} + 1);
  places_[block] = {parent, none};
}

void block_marks::removed(block_index block) {
  const auto [parent, gone] = std::exchange(places_[block], {});
  if (gone == none) return;
  for (std::uint32_t slot = records_[gone].first_mark, next = none; slot != none; slot = next) {
    mark& at = marks_[slot];
    next = std::exchange(at.next, none);
    at.previous = none;
    at.block = no_block;
    if (parent == no_block) continue;
    if (at.rank < rank_default && --at.blocks == 0) continue;
    link(slot, parent);  // counted there already: the mark held for it too
  }
  records_[gone] = {};
  free_records_.push_back(gone);
}

mark_id block_marks::add(block_index block, std::uint32_t blocks, std::uint8_t rank) {
  std::uint32_t slot = static_cast<std::uint32_t>(marks_.size());
  if (free_marks_.empty()) {
    marks_.emplace_back();
  } else {
    slot = free_marks_.back();
    free_marks_.pop_back();
  }
  mark& at = marks_[slot];
  at.rank = std::min(rank, rank_pinned);
  at.blocks = blocks;
  if (is_here(block) && blocks > 0) {
    at.block = block;
    each_block(at, [&](block_index each) { count_up(each, at.rank); });
    link(slot, block);
  }
  return mark_id{std::uint64_t{at.generation} << 32 | slot};
}

void block_marks::erase(mark_id id) {
  const auto slot = static_cast<std::uint32_t>(static_cast<std::uint64_t>(id));
  if (slot >= marks_.size() || marks_[slot].generation != static_cast<std::uint64_t>(id) >> 32) return;
  mark& at = marks_[slot];
  if (at.block != no_block) {
    unlink(slot);
    each_block(at, [&](block_index each) { count_down(each, at.rank); });
  }
  at = {.generation = at.generation + 1};
  free_marks_.push_back(slot);
}

std::uint8_t block_marks::rank_of(block_index block) const {
  if (!is_here(block) || places_[block].record == none) return rank_default;
  const auto& counts = records_[places_[block].record].counts;
  return counts.empty() ? rank_default : counts.back().first;
}

std::vector<rank_change> block_marks::take_changes() {
  std::vector<rank_change> changes;
  for (const block_index block : std::exchange(changed_, {})) {
    if (!is_here(block) || places_[block].record == none) continue;
    record& at = records_[places_[block].record];
    const std::uint8_t rank = rank_of(block);
    if (std::exchange(at.known, rank) != rank) changes.push_back({block, rank});
    at.is_listed = false;
    drop_if_empty(block);
  }
  return changes;
}

block_marks::record& block_marks::record_of(block_index block) {
  std::uint32_t& at = places_[block].record;
  if (at == none && free_records_.empty()) {
    at = static_cast<std::uint32_t>(records_.size());
    records_.emplace_back();
  } else if (at == none) {
    at = free_records_.back();
    free_records_.pop_back();
  }
  return records_[at];
}

void block_marks::count_up(block_index block, std::uint8_t rank) {
  record& at = record_of(block);
  const auto found = std::lower_bound(at.counts.begin(), at.counts.end(), std::pair{rank, 0U});
  if (found != at.counts.end() && found->first == rank)
    ++found->second;
  else
    at.counts.insert(found, {rank, 1});
  list(block, at);
}

void block_marks::count_down(block_index block, std::uint8_t rank) {
  record& at = record_of(block);
  const auto found = std::lower_bound(at.counts.begin(), at.counts.end(), std::pair{rank, 0U});
  if (--found->second == 0) at.counts.erase(found);
  list(block, at);
  drop_if_empty(block);
}

void block_marks::list(block_index block, record& at) {
  if (at.is_listed || rank_of(block) == at.known) return;
  at.is_listed = true;
  changed_.push_back(block);
}

void block_marks::drop_if_empty(block_index block) {
  record& at = records_[places_[block].record];
  if (at.is_listed || !at.counts.empty()) return;
  at = {};
  free_records_.push_back(std::exchange(places_[block].record, none));
}

void block_marks::link(std::uint32_t slot, block_index block) {
  mark& at = marks_[slot];
  at.block = block;
  at.next = std::exchange(records_[places_[block].record].first_mark, slot);
  if (at.next != none) marks_[at.next].previous = slot;
}

void block_marks::unlink(std::uint32_t slot) {
  const mark& at = marks_[slot];
  (at.previous == none ? records_[places_[at.block].record].first_mark : marks_[at.previous].next) = at.next;
  if (at.next != none) marks_[at.next].previous = at.previous;
}

}  // namespace troupe::core
