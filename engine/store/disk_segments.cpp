// Segments are begun, filled, sealed, reclaimed. First in is first out, with a second chance: blocks that were loaded since they were
// written (or have a high priority) are carried over, which comes close to recency and writes only what proved its use. At most half a
// segment is carried, so that each reclaim gains the other half; segments of more value than that are passed over while the oldest
// quarter has others, which costs no writes at all.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/store/disk_store_state.hpp"
#include "engine/store/segment_file.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

/// A disk that takes no segment is asked again after this long: each try creates a file.
constexpr std::int64_t retry_after_ms = 1000;
/// A reclaim carries at most one half of a segment over.
constexpr std::uint64_t carry_share = 2;

}  // namespace

bool disk_store::state::fits_open(std::uint64_t record_bytes) const {
  if (open_segment == 0) return false;
  const auto& segment = segments.at(open_segment);
  return segment.end + record_bytes + segment_footer_bytes_max(segment.records + 1) <= options.segment_bytes;
}

store_result disk_store::state::make_room(unix_ms now, std::uint64_t record_bytes) {
  if (page_bytes + record_bytes + segment_footer_bytes_max(1) > options.segment_bytes) return store_result::too_large;
  if (fits_open(record_bytes)) return store_result::pending;
  if (open_segment != 0) close_segment(open_segment);
  const auto wait_ms = no_segment_before - now;
  if (wait_ms > 0 && wait_ms <= retry_after_ms) return store_result::failed;  // longer: the clock was set back
  while (bytes_used + options.segment_bytes > options.budget_bytes || segments.size() >= limits::disk_segments_max) {
    const auto gone = victim != 0 ? victim : choose_victim();
    if (gone == 0) return store_result::busy;  // all others are still being written
    remove_segment(gone, removal_cause::capacity);
  }
  if (create_segment(now)) return store_result::pending;
  count_error();
  no_segment_before = now + retry_after_ms;
  return store_result::failed;
}

disk_store::state::shared_descriptor disk_store::state::reserve(disk_entry& entry) {
  auto& segment = segments.at(open_segment);
  entry.segment = open_segment;
  entry.offset = segment.end;
  segment.end += entry.record_bytes();
  ++segment.records;
  ++segment.writes;
  return segment.file;
}

bool disk_store::state::create_segment(unix_ms now) {
  const auto id = next_segment;
  const auto path = segment_path(options.folder, id);
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (direct ? O_DIRECT : 0);
  const int opened = ::open(path.c_str(), flags, 0600);
  if (opened < 0) return false;
  auto file = std::make_shared<descriptor>(opened);
  const auto header = make_segment_header(id, now);
  if (io->allocate(opened, options.segment_bytes) != 0 || io->write_now(opened, 0, header.bytes()) != 0) {
    ::unlink(path.c_str());
    return false;
  }
  rate.charge(page_bytes);
  counts.bytes_written += page_bytes;
  segments[id] = {segment::phase::open, options.segment_bytes, page_bytes, 0, 0, 0, 0, std::move(file)};
  bytes_used += options.segment_bytes;
  open_segment = id;
  ++next_segment;
  return true;
}

void disk_store::state::close_segment(std::uint64_t id) {
  segments.at(id).phase = segment::phase::sealing;
  if (open_segment == id) open_segment = 0;
  seal_if_written(id);
}

void disk_store::state::seal_if_written(std::uint64_t id) {
  const auto found = segments.find(id);  // a failed last write may have removed it already
  if (found == segments.end() || found->second.phase != segment::phase::sealing || found->second.writes > 0) return;
  auto& segment = found->second;
  segment.phase = segment::phase::sealed;
  std::vector<disk_entry> entries;
  for (const auto slot : index.of_segment(id)) entries.push_back(index.at(slot));
  std::sort(entries.begin(), entries.end(), [](const disk_entry& a, const disk_entry& b) { return a.offset < b.offset; });
  const auto file = std::exchange(segment.file, nullptr);
  if (entries.empty()) return remove_if_empty(id);
  const auto footer = make_segment_footer(id, segment.end, entries, codec.key_id());
  auto end = segment.end + footer.size();
  if (io->write_now(file->value, segment.end, footer.bytes()) == 0) {
    rate.charge(footer.size());
    counts.bytes_written += footer.size();
  } else {  // the next opening reads it record by record
    count_error();
    end = segment.end;
  }
  if (::ftruncate(file->value, static_cast<off_t>(end)) != 0) return count_error();
  bytes_used = bytes_used - segment.bytes + end;
  segment.bytes = end;
}

void disk_store::state::remove_segment(std::uint64_t id, removal_cause cause) {
  for (const auto slot : index.of_segment(id)) remove(slot, cause);
  if (::unlink(segment_path(options.folder, id).c_str()) != 0 && errno != ENOENT) count_error();
  ::unlink(dead_path(options.folder, id).c_str());
  bytes_used -= segments.at(id).bytes;
  files_open.remove(id);
  segments.erase(id);
  if (id != victim) return;
  victim = 0;
  carry.clear();
}

void disk_store::state::remove_if_empty(std::uint64_t id) {
  const auto& segment = segments.at(id);
  if (segment.phase == segment::phase::sealed && segment.other_key == 0 && index.share_of(id).blocks == 0)
    remove_segment(id, removal_cause::none);
}

std::uint64_t disk_store::state::choose_victim() const {
  std::vector<std::uint64_t> sealed;
  for (const auto& [id, segment] : segments)
    if (segment.phase == segment::phase::sealed) sealed.push_back(id);
  if (sealed.empty()) return 0;
  sealed.resize((sealed.size() + 3) / 4);
  const auto valued_bytes = [this](std::uint64_t id) { return index.share_of(id).valued_bytes; };
  const auto oldest = std::ranges::find_if(sealed, [&](auto id) { return valued_bytes(id) <= options.segment_bytes / carry_share; });
  return oldest != sealed.end() ? *oldest : *std::ranges::min_element(sealed, {}, valued_bytes);
}

void disk_store::state::reclaim(unix_ms now) {
  if (victim == 0) {
    if (open_segment == 0 || bytes_used + options.segment_bytes <= options.budget_bytes) return;
    victim = choose_victim();
    if (victim == 0) return;
    carry_bytes_left = options.segment_bytes / carry_share;
    for (const auto slot : index.of_segment(victim))
      if (index.is_valued(index.at(slot))) carry.push_back(index.at(slot));
    std::sort(carry.begin(), carry.end(), [](const disk_entry& a, const disk_entry& b) {
      return std::tuple(a.retention.priority, a.hits, a.offset) < std::tuple(b.retention.priority, b.hits, b.offset);
    });
  }
  begin_carry(now);
  if (carry.empty() && carries == 0) remove_segment(victim, removal_cause::capacity);
}

void disk_store::state::begin_carry(unix_ms now) {
  while (carries < carries_max && !carry.empty()) {
    const auto& entry = carry.back();
    const auto bytes = entry.record_bytes();
    if (!fits_open(bytes) || bytes > carry_bytes_left) return carry.clear();
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
    carry_bytes_left -= bytes;
    carry.pop_back();
    ++carries;
    begin_operation(std::move(begun), io_operation::kind::read, payload);
  }
}

disk_store::state::shared_descriptor disk_store::state::descriptor_of(std::uint64_t id) {
  auto& segment = segments.at(id);
  if (segment.phase != segment::phase::sealed) return segment.file;
  files_open.remove(id);
  if (!segment.file) {
    const int opened = ::open(segment_path(options.folder, id).c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    if (opened < 0) return nullptr;
    segment.file = std::make_shared<descriptor>(opened);
  }
  files_open.push_back(id);
  if (files_open.size() > limits::disk_files_open_max) {
    segments.at(files_open.front()).file = nullptr;
    files_open.pop_front();
  }
  return segment.file;
}

}  // namespace troupe::store
