#include "engine/core/retention/block_intents.hpp"

#include <algorithm>

namespace troupe::core {

void block_intents::absorb() {
  for (const auto& change : marks_.take_changes()) {
    set_pinned(change.block, change.rank >= rank_pinned);
    changes_.push_back(change);
  }
}

void block_intents::set_pinned(block_index block, bool is_pinned) {
  if (is_pinned == pinned_[block]) return;
  pinned_[block] = is_pinned;
  is_pinned ? ++pinned_count_ : --pinned_count_;
  if (tenant_pins_.empty()) return;
  auto& pins = tenant_pins_[tenants_[block]];
  is_pinned ? ++pins : --pins;
}

std::uint32_t block_intents::room_for(block_index block) const {
  const std::uint32_t room = pinned_max_ - std::min(pinned_max_, pinned_count_);
  if (tenant_pins_.empty()) return room;
  const auto [pins, pins_max] = std::pair(tenant_pins_[tenants_[block]], tenant_pins_max_[tenants_[block]]);
  return std::min(room, pins_max - std::min(pins_max, pins));
}

std::uint32_t block_intents::place(standing_wish& wish, block_index block) {
  if (wish.mark) marks_.erase(*wish.mark);
  wish.mark.reset();
  absorb();
  std::uint32_t clipped = 0;
  if (wish.wish.rank >= rank_pinned) {
    std::uint32_t wanted = 0;  // a pin holds for all before it, so what is pinned already ends the count
    for (block_index at = block; at != no_block && !pinned_[at]; at = parents_[at]) ++wanted;
    clipped = wanted - std::min(wanted, room_for(block));
    for (std::uint32_t left = clipped; left > 0; --left) block = parents_[block];
  }
  if (block == no_block || wish.wish.blocks <= clipped) return clipped;
  wish.mark = marks_.add(block, wish.wish.blocks - clipped, wish.wish.rank);
  absorb();
  return clipped;
}

void block_intents::stored(block_index block, block_index parent, const block_hash& hash, tenant_index tenant) {
  if (block >= parents_.size()) parents_.resize(std::size_t{block} + 1, no_block);
  parents_[block] = parent;
  if (!tenant_pins_.empty()) {
    tenants_.resize(parents_.size());
    tenants_[block] = tenant;
  }
  marks_.stored(block, parent);
  const auto [first, last] = by_hash_.equal_range(hash.low);
  for (auto at = first; at != last; ++at)
    for (auto& each : intents_.at(at->second).wishes)
      if (each.wish.last.hash == hash) place(each, block);
}

void block_intents::removed(block_index block) {
  marks_.removed(block);
  set_pinned(block, false);
  absorb();
}

intent_result block_intents::apply(const intent& all, instant now, const finder& find) {
  auto& known = intents_[all.owner];
  if (all.generation < known.generation) return {known.generation, pinned_count_, 0};
  for (const auto& each : std::exchange(known.wishes, {})) end(all.owner, known.generation, each);
  known.generation = all.generation;
  intent_result result{all.generation, 0, 0};
  for (const auto& wish : all.wishes) {
    auto& made = known.wishes.emplace_back(standing_wish{wish, now + std::chrono::milliseconds{wish.ttl_ms}, std::nullopt});
    by_hash_.emplace(wish.last.hash.low, all.owner);
    ends_.emplace(made.until, std::pair{all.owner, all.generation});
    if (const block_index block = find(wish.last.hash); block != no_block) result.blocks_clipped += place(made, block);
  }
  result.blocks_pinned = pinned_count_;
  return result;
}

void block_intents::end(owner_id owner, std::uint64_t generation, const standing_wish& gone) {
  if (gone.mark) marks_.erase(*gone.mark);
  const auto [first, last] = by_hash_.equal_range(gone.wish.last.hash.low);
  by_hash_.erase(std::find_if(first, last, [owner](const auto& entry) { return entry.second == owner; }));
  const auto [from, to] = ends_.equal_range(gone.until);
  ends_.erase(std::find_if(from, to, [&](const auto& entry) { return entry.second == std::pair{owner, generation}; }));
  absorb();
}

void block_intents::release(owner_id owner) {
  const auto found = intents_.find(owner);
  if (found == intents_.end()) return;
  for (const auto& each : found->second.wishes) end(owner, found->second.generation, each);
  intents_.erase(found);
}

void block_intents::expire(instant now) {
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const auto [owner, generation] = ends_.begin()->second;
    auto& wishes = intents_.at(owner).wishes;
    const auto due = std::ranges::find_if(wishes, [now](const standing_wish& each) { return each.until <= now; });
    end(owner, generation, *due);
    wishes.erase(due);
  }
}

}  // namespace troupe::core
