// Segments are begun, filled, sealed and removed; a segment is opened again to be read.
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

}  // namespace

bool disk_store::state::fits_open(std::uint64_t record_bytes, std::size_t records) const {
  if (open_segment == 0) return false;
  const auto& segment = segments.at(open_segment);
  return segment.end + record_bytes + segment_footer_bytes_max(segment.records + records) <= options.segment_bytes;
}

bool disk_store::state::fits_beside_pins(std::uint64_t record_bytes) const {
  const auto owed = pins_owed();
  return fits_open(record_bytes + owed.pinned_bytes, 1 + owed.pinned_blocks);
}

store_result disk_store::state::make_room(unix_ms now, std::uint64_t record_bytes) {
  if (page_bytes + record_bytes + segment_footer_bytes_max(1) > options.segment_bytes) return store_result::too_large;
  begin_reclaim();
  if (fits_beside_pins(record_bytes)) return store_result::pending;
  if (pins_owed().pinned_blocks > 0) return store_result::busy;  // until they are carried over
  if (open_segment != 0) close_segment(open_segment);
  const auto wait_ms = no_segment_before - now;
  if (wait_ms > 0 && wait_ms <= retry_after_ms) return store_result::failed;  // longer: the clock was set back
  while (bytes_used + options.segment_bytes > options.budget_bytes || segments.size() >= limits::disk_segments_max) {
    const auto gone = victim != 0 ? victim : choose_removable();
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
  if (cause == removal_cause::capacity) counts.clipped += index.share_of(id).pinned_blocks;
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
