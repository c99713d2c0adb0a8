// What happens when an operation ends. Memory: front and payload buffers go back to the pool here; the caller's memory is the caller's
// again with the completion.
#include <cerrno>
#include <cstring>

#include "engine/store/disk_store_state.hpp"
#include "engine/store/segment_file.hpp"

namespace troupe::store {
namespace {

/// So many failed writes in a row end a segment: the next one may lie on a better part of the disk.
constexpr std::uint32_t writes_failed_max = 3;

std::span<std::byte> payload_of(const aligned_buffer& buffer, const disk_entry& entry) { return buffer.bytes().first(entry.payload_bytes); }

}  // namespace

void disk_store::state::complete(const io_completion& completed, std::vector<store_completion>* completions) {
  auto ended = std::move(operations[completed.id]);
  operations[completed.id] = {};
  operations_free.push_back(static_cast<std::uint32_t>(completed.id));
  store_completion answer{ended.ticket};
  switch (ended.what) {
    case operation::kind::put:
      answer.result = finish_put(ended, completed.result);
      break;
    case operation::kind::get:
      answer.result = finish_get(ended, completed.result);
      answer.retention = ended.entry.retention;
      break;
    case operation::kind::carry_read:
      finish_carry_read(ended, completed.result);
      break;
    case operation::kind::carry_write:
      finish_carry_write(ended, completed.result);
      break;
    case operation::kind::none:
      return;
  }
  if (ended.what == operation::kind::put || ended.what == operation::kind::get) {
    --in_flight;
    if (completions != nullptr) completions->push_back(answer);
  }
  buffers.give_back(std::move(ended.front));
  buffers.give_back(std::move(ended.payload));
}

bool disk_store::state::end_write(const operation& ended, std::int64_t result) {
  const auto& entry = ended.entry;
  auto& segment = segments.at(entry.segment);
  --segment.writes;
  const bool is_written = result == static_cast<std::int64_t>(entry.record_bytes());
  if (is_written) {
    segment.writes_failed = 0;
    counts.bytes_written += entry.record_bytes();
    return true;
  }
  count_error();
  ++segment.writes_failed;
  return false;
}

store_result disk_store::state::finish_put(const operation& ended, std::int64_t result) {
  const auto& entry = ended.entry;
  const bool is_written = end_write(ended, result);
  if (is_written && !ended.dropped) {
    const auto slot = index.insert(entry);
    announce_stored(index.at(slot));
    settle_pin(slot);
    ++counts.stored;
  } else if (is_written) {
    note_dead(entry.segment, {&entry.offset, 1});
  } else {
    ++counts.failed;
  }
  if (entry.segment == open_segment && segments.at(entry.segment).writes_failed >= writes_failed_max) close_segment(entry.segment);
  seal_if_written(entry.segment);
  if (!is_written) return store_result::failed;
  return ended.dropped ? store_result::dropped : store_result::stored;
}

store_result disk_store::state::finish_get(const operation& ended, std::int64_t result) {
  const auto& entry = ended.entry;
  const auto slot = same_place(entry, entry.segment, entry.offset);
  if (result < 0) {
    // Unreadable, perhaps for a moment: it leaves the index but is not noted as dead, so that a restart looks at it again.
    count_error();
    if (slot != disk_index::none) remove(slot, removal_cause::corrupt);
    return ++counts.failed, store_result::failed;
  }
  counts.bytes_read += static_cast<std::uint64_t>(result);
  auto outcome = store_result::corrupt;
  if (result == static_cast<std::int64_t>(entry.record_bytes())) {
    const auto front = ended.front.bytes().first(entry.front_bytes);
    const auto payload = ended.payload ? payload_of(ended.payload, entry) : ended.destination;
    stored_retention retention;
    outcome = codec.open(front, place_in(entry.segment, entry.offset), payload, ended.wanted, ended.destination, retention);
  }
  if (outcome == store_result::loaded) return ++counts.loaded, outcome;
  // The index agreed with what was wanted, so a mismatch is a record that is not what the index says: it goes too.
  ++(outcome == store_result::mismatched ? counts.mismatched : counts.corrupt);
  if (slot != disk_index::none) discard(slot, removal_cause::corrupt);
  return outcome;
}

void disk_store::state::finish_carry_read(operation& ended, std::int64_t result) {
  const auto& entry = ended.entry;
  --carries;
  const auto front = ended.front.bytes().first(entry.front_bytes);
  const bool is_read = result == static_cast<std::int64_t>(entry.record_bytes()) &&
                       read_front(front, place_in(entry.segment, entry.offset)).has_value() &&
                       is_payload_intact(front, payload_of(ended.payload, entry));
  if (result > 0) counts.bytes_read += static_cast<std::uint64_t>(result);
  const bool is_there = same_place(entry, entry.segment, entry.offset) != disk_index::none;
  const bool is_pinned = is_there && index.at(same_place(entry, entry.segment, entry.offset)).pin == pin_mark::pinned;
  const bool has_room = is_pinned ? fits_open(entry.record_bytes()) : fits_beside_pins(entry.record_bytes());
  if (!is_read || !is_there || !has_room) {
    if (!is_read) count_error();
    rate.give_back(entry.record_bytes());
    return;
  }
  operation write{operation::kind::carry_write, {}, entry};
  write.carried_from = entry.segment;
  write.carried_offset = entry.offset;
  write.file = reserve(write.entry);
  move_front(front, place_in(write.entry.segment, write.entry.offset));
  write.front = std::move(ended.front);
  write.payload = std::move(ended.payload);
  ++carries;
  const auto payload = write.payload.bytes().first(whole_pages(entry.payload_bytes));
  begin_operation(std::move(write), io_operation::kind::write, payload);
}

void disk_store::state::finish_carry_write(const operation& ended, std::int64_t result) {
  const auto& entry = ended.entry;
  --carries;
  const auto slot = same_place(entry, ended.carried_from, ended.carried_offset);
  if (end_write(ended, result)) {
    if (slot != disk_index::none) {
      index.move(slot, entry.segment, entry.offset);
      ++counts.carried;
    } else {
      note_dead(entry.segment, {&entry.offset, 1});  // it left while it was being carried
    }
  }
  seal_if_written(entry.segment);
}

disk_index::slot disk_store::state::same_place(const disk_entry& entry, std::uint64_t segment, std::uint64_t offset) const {
  const auto slot = index.find(entry.block.hash, entry.layout);
  if (slot == disk_index::none || index.at(slot).segment != segment || index.at(slot).offset != offset) return disk_index::none;
  return slot;
}

}  // namespace troupe::store
