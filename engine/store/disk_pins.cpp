// Which of the blocks that owners wish pinned are: as many as the share for pins and, in a segment that is being reclaimed, the room in
// the open one allow. What is clipped is looked at again whenever something is said of it.
#include "engine/store/disk_store_state.hpp"

namespace troupe::store {

disk_index::segment_share disk_store::state::pins_owed() const {
  if (index.pinned_blocks() == 0 || open_segment == 0 || bytes_used + options.segment_bytes <= options.budget_bytes) return {};
  auto owed = index.share_of(victim);
  const auto left = bytes_used - (victim == 0 ? 0 : segments.at(victim).bytes);
  if (left + options.segment_bytes <= options.budget_bytes) return owed;
  disk_index::segment_share least{.pinned_bytes = ~std::uint64_t{0}};
  for (const auto& [id, segment] : segments) {
    const auto share = index.share_of(id);
    const bool may_be_next = id != victim && segment.phase == segment::phase::sealed;
    if (may_be_next && share.pinned_bytes < least.pinned_bytes) least = share;
  }
  if (least.pinned_blocks == 0) return owed;
  owed.pinned_bytes += least.pinned_bytes;
  owed.pinned_blocks += least.pinned_blocks;
  return owed;
}

void disk_store::state::settle_pin(disk_index::slot slot) {
  const auto& entry = index.at(slot);
  const auto until = pins.until(entry.block.hash);
  if (until == 0) return index.mark_pin(slot, pin_mark::none);
  const auto bytes_max = static_cast<std::uint64_t>(static_cast<double>(options.budget_bytes) * options.pinned_share_max);
  const auto bytes = entry.record_bytes();
  const bool is_below_share = index.pinned_bytes() + bytes <= bytes_max;
  const bool can_be_carried = entry.segment != victim || fits_beside_pins(bytes);
  if (entry.pin != pin_mark::pinned && !(is_below_share && can_be_carried)) {
    counts.clipped += entry.pin != pin_mark::clipped;
    return index.mark_pin(slot, pin_mark::clipped);
  }
  index.mark_pin(slot, pin_mark::pinned);
  const auto& held = entry.retention;
  if (held.expires != 0 && held.expires < until) index.refresh(slot, {held.role, held.priority, until});
}

void disk_store::state::settle_pins() {
  bool concerns_victim = false;
  for (const auto& hash : pins.take_changes()) {
    for (const auto slot : index.of_hash(hash)) {
      settle_pin(slot);
      concerns_victim = concerns_victim || index.at(slot).segment == victim;
    }
  }
  if (concerns_victim) collect_carry();
}

}  // namespace troupe::store
