#include "engine/core/retention/residency.hpp"

#include <algorithm>
#include <bit>

namespace troupe::core {

namespace {

constexpr std::uint8_t rank_pinned = rank_max + 1;

}  // namespace

std::string_view to_string(eviction_cause cause) {
  constexpr std::array<std::string_view, eviction_causes> names{"capacity", "ttl", "death", "compaction", "rewind", "superseded", "quota"};
  return names[static_cast<std::size_t>(cause)];
}

void residency::store(block_index block, block_index parent) {
  if (block >= blocks_.size()) blocks_.resize(std::size_t{block} + 1);
  blocks_[block] = {};
  blocks_[block].parent = parent;
  blocks_[block].is_resident = true;
  if (parent != no_block) ++blocks_[parent].children;
}

void residency::remove(block_index block) {
  unlink(block);
  if (const block_index parent = blocks_[block].parent; parent != no_block) --blocks_[parent].children;
  blocks_[block] = {};
}

void residency::append(block_index block) {
  resident_block& at = blocks_[block];
  if (at.is_queued) unlink(block);
  list& into = lists_[at.rank];
  at.previous = into.last;
  at.next = no_block;
  (into.last == no_block ? into.first : blocks_[into.last].next) = block;
  into.last = block;
  at.is_queued = true;
  filled_[at.rank / 64] |= std::uint64_t{1} << at.rank % 64;
}

void residency::prepend(block_index block) {
  resident_block& at = blocks_[block];
  if (at.is_queued) unlink(block);
  list& into = lists_[at.rank];
  at.previous = no_block;
  at.next = into.first;
  (into.first == no_block ? into.last : blocks_[into.first].previous) = block;
  into.first = block;
  at.is_queued = true;
  filled_[at.rank / 64] |= std::uint64_t{1} << at.rank % 64;
}

void residency::unlink(block_index block) {
  resident_block& at = blocks_[block];
  if (!at.is_queued) return;
  list& from = lists_[at.rank];
  (at.previous == no_block ? from.first : blocks_[at.previous].next) = at.next;
  (at.next == no_block ? from.last : blocks_[at.next].previous) = at.previous;
  at.previous = at.next = no_block;
  at.is_queued = false;
  if (from.first == no_block) filled_[at.rank / 64] &= ~(std::uint64_t{1} << at.rank % 64);
}

block_index residency::first() const {
  const int rank = filled_[0] != 0 ? std::countr_zero(filled_[0]) : 64 + std::countr_zero(filled_[1]);
  return rank >= rank_pinned ? no_block : lists_[static_cast<std::size_t>(rank)].first;
}

void residency::set_rank(block_index block, std::uint8_t rank) {
  const bool queued = blocks_[block].is_queued;
  if (queued) unlink(block);
  blocks_[block].rank = rank;
  if (queued) append(block);
}

bool residency::raise(block_index block, std::uint8_t priority) {
  if (block >= blocks_.size() || !blocks_[block].is_resident) return false;
  priority = std::min(priority, rank_max);
  for (; block != no_block && blocks_[block].priority < priority; block = blocks_[block].parent) {
    blocks_[block].priority = priority;
    if (blocks_[block].rank < priority) set_rank(block, priority);
  }
  return true;
}

bool residency::pin(block_index block, instant until) {
  if (block >= blocks_.size() || !blocks_[block].is_resident) return false;
  const auto lasts_longer = [&](const resident_block& at) {
    return at.rank != rank_pinned || (at.pinned_until != instant{0} && (until == instant{0} || at.pinned_until < until));
  };
  for (; block != no_block && lasts_longer(blocks_[block]); block = blocks_[block].parent) {
    blocks_[block].pinned_until = until;
    set_rank(block, rank_pinned);
    if (until != instant{0}) pins_.emplace(until, block);
  }
  return true;
}

void residency::expire(instant now) {
  // Equal ends come out by index, not by depth. A parent that is put back before its child stands before it in the queue, so
  // whoever takes the first must step over blocks that have children.
  while (!pins_.empty() && pins_.top().first <= now) {
    const auto [until, block] = pins_.top();
    pins_.pop();
    if (blocks_[block].rank == rank_pinned && blocks_[block].pinned_until == until) set_rank(block, blocks_[block].priority);
  }
}

}  // namespace troupe::core
