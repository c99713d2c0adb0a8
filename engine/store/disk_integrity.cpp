#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>

#include "engine/store/disk_store_state.hpp"
#include "engine/store/segment_file.hpp"

namespace troupe::store {

std::optional<std::string> disk_store::state::check_integrity() const {
  if (auto broken = index.check_integrity()) return broken;
  std::uint64_t bytes = 0, blocks = 0;
  for (const auto& [id, segment] : segments) {
    struct stat status {};
    if (::stat(segment_path(options.folder, id).c_str(), &status) != 0) return "a segment has no file";
    if (static_cast<std::uint64_t>(status.st_size) != segment.bytes) return "a segment's file has another size";
    bytes += segment.bytes;
    auto slots = index.of_segment(id);
    blocks += slots.size();
    std::sort(slots.begin(), slots.end(), [this](auto a, auto b) { return index.at(a).offset < index.at(b).offset; });
    std::uint64_t end = page_bytes;
    for (const auto slot : slots) {
      const auto& entry = index.at(slot);
      if (entry.offset < end) return "two records overlap";
      end = entry.offset + entry.record_bytes();
    }
    if (!slots.empty() && end > segment.end) return "a record lies beyond its segment's end";
    if ((segment.phase == segment::phase::open) != (id == open_segment)) return "another segment is open than is said";
    if (segment.phase == segment::phase::sealing && segment.writes == 0) return "a segment waits for no write";
    if (segment.phase == segment::phase::sealed && segment.writes != 0) return "a sealed segment is being written";
  }
  if (blocks != index.size()) return "a block is in a segment that is gone";
  if (bytes != bytes_used) return "the bytes used are miscounted";
  if (bytes_used > options.budget_bytes) return "the budget is exceeded";

  std::uint32_t users = 0, carried = 0;
  std::size_t lent = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> writes;
  for (const auto& running : operations) {
    users += running.what == operation::kind::put || running.what == operation::kind::get;
    carried += running.what == operation::kind::carry_read || running.what == operation::kind::carry_write;
    lent += static_cast<bool>(running.front) + static_cast<bool>(running.payload);
    if (running.what == operation::kind::put || running.what == operation::kind::carry_write) ++writes[running.entry.segment];
  }
  if (users != in_flight || carried != carries) return "operations in flight are miscounted";
  if (users + carried + operations_free.size() != operations.size()) return "an operation is neither free nor running";
  if (lent != buffers.lent()) return "a buffer was not given back";
  for (const auto& [id, segment] : segments)
    if (segment.writes != (writes.contains(id) ? writes.at(id) : 0)) return "writes in flight are miscounted";
  if (victim != 0 && !segments.contains(victim)) return "the victim is gone";
  if (files_open.size() > segments.size()) return "a segment that is gone is open";
  return std::nullopt;
}

}  // namespace troupe::store
