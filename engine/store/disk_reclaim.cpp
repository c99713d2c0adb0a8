// First in is first out, with a second chance: blocks that were loaded since they were written (or have a high priority) are carried
// over, which comes close to recency and writes only what proved its use. At most half a segment is carried, so that each reclaim gains
// the other half; segments of more value than that are passed over while the oldest quarter has others, which costs no writes at all.
// Pinned blocks are carried over in any case, and first.
#include <algorithm>
#include <tuple>

#include "engine/store/disk_store_state.hpp"

namespace troupe::store {
namespace {

/// A reclaim carries at most one half of a segment over, besides what is pinned.
constexpr std::uint64_t carry_share = 2;

bool is_pinned(const disk_entry& entry) { return entry.pin == pin_mark::pinned; }

}  // namespace

std::uint64_t disk_store::state::choose_victim() const {
  std::vector<std::uint64_t> sealed;
  for (const auto& [id, segment] : segments)
    if (segment.phase == segment::phase::sealed) sealed.push_back(id);
  if (sealed.empty()) return 0;
  const auto valued_bytes = [this](std::uint64_t id) { return index.share_of(id).valued_bytes; };
  const auto pinned_bytes = [this](std::uint64_t id) { return index.share_of(id).pinned_bytes; };
  const auto quarter = std::span(sealed).first((sealed.size() + 3) / 4);
  const auto most = options.segment_bytes / carry_share;
  const auto fits = [this](std::uint64_t id) {
    const auto share = index.share_of(id);
    return share.pinned_blocks == 0 || fits_open(share.pinned_bytes, share.pinned_blocks);
  };
  const auto oldest = std::ranges::find_if(quarter, [&](auto id) { return valued_bytes(id) <= most && fits(id); });
  if (oldest != quarter.end()) return *oldest;
  const auto least = *std::ranges::min_element(quarter, {}, valued_bytes);
  // To carry a segment of pins over would gain nothing; some segment has fewer, since they have a share of the budget only.
  return pinned_bytes(least) <= most && fits(least) ? least : *std::ranges::min_element(sealed, {}, pinned_bytes);
}

std::uint64_t disk_store::state::choose_removable() const {
  const auto chosen = choose_victim();
  if (index.share_of(chosen).pinned_blocks == 0) return chosen;
  auto least = chosen;
  for (const auto& [id, segment] : segments) {
    const bool is_sealed = segment.phase == segment::phase::sealed;
    if (is_sealed && index.share_of(id).pinned_blocks < index.share_of(least).pinned_blocks) least = id;
  }
  return least;
}

void disk_store::state::begin_reclaim() {
  if (victim != 0 || open_segment == 0 || bytes_used + options.segment_bytes <= options.budget_bytes) return;
  victim = choose_victim();
  if (victim == 0) return;
  carry_bytes_left = options.segment_bytes / carry_share;
  collect_carry();
}

void disk_store::state::collect_carry() {
  carry.clear();
  const auto is_under_way = [this](const disk_entry& entry) {
    return std::ranges::any_of(operations, [&](const operation& running) {
      const bool is_carry = running.what == operation::kind::carry_read || running.what == operation::kind::carry_write;
      return is_carry && running.entry.block.hash == entry.block.hash && running.entry.layout == entry.layout;
    });
  };
  for (const auto slot : index.of_segment(victim))
    if (index.is_valued(index.at(slot)) && !is_under_way(index.at(slot))) carry.push_back(index.at(slot));
  std::sort(carry.begin(), carry.end(), [](const disk_entry& a, const disk_entry& b) {
    return std::tuple(is_pinned(a), a.retention.priority, a.hits, a.offset) < std::tuple(is_pinned(b), b.retention.priority, b.hits, b.offset);
  });
}

void disk_store::state::reclaim(unix_ms now) {
  begin_reclaim();
  if (victim == 0) return;
  begin_carry(now);
  if (carry.empty() && carries == 0) remove_segment(victim, removal_cause::capacity);
}

void disk_store::state::begin_carry(unix_ms now) {
  while (carries < carries_max && !carry.empty()) {
    const auto& entry = carry.back();
    const auto bytes = entry.record_bytes();
    const bool may_go = is_pinned(entry) ? fits_open(bytes) : fits_beside_pins(bytes) && bytes <= carry_bytes_left;
    if (!may_go) return carry.clear();
    if (same_place(entry, victim, entry.offset) == disk_index::none) {
      carry.pop_back();
      continue;
    }
    if (!rate.take(now, bytes)) return;
    operation begun{operation::kind::carry_read, {}, entry};
    begun.file = descriptor_of(victim);
    if (!begun.file) return count_error(), carry.clear();
    begun.front = buffers.take(entry.front_bytes);
    begun.payload = buffers.take(entry.payload_bytes);
    const auto payload = begun.payload.bytes().first(whole_pages(entry.payload_bytes));
    if (!is_pinned(entry)) carry_bytes_left -= bytes;
    carry.pop_back();
    ++carries;
    begin_operation(std::move(begun), io_operation::kind::read, payload);
  }
}

}  // namespace troupe::store
