// One segment of the disk store as a file. It is written once, from begin to end, and never again after it is sealed; what is dropped
// from it is noted in a second file beside it. Pages of 4096 bytes, all numbers little-endian.
//
//   page 0      header: "troupesg", u32 version, u32 0, u64 segment id, i64 created (unix ms), zeros, [4088, 4096) XXH3-64 of the rest
//   then        records (block_record.hpp): front, padded to pages; payload, padded to pages
//   sealed:     footer: StoredSegment, padded to pages
//   last page   trailer: "troupeft", u32 version, u32 0, u64 segment id, u64 footer offset, u64 footer bytes, u64 XXH3-64 of the footer,
//               zeros, [4088, 4096) XXH3-64 of the rest
//   <id>.dead   16 bytes per dropped record: u64 offset, u64 XXH3-64 of (segment id, offset)
//
// A file without trailer (the process was killed) is read record by record; what is no intact record is skipped page by page, because
// writes that complete out of order may leave a hole before a record whose put was answered.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/store/aligned_buffer.hpp"
#include "engine/store/block_record.hpp"
#include "engine/store/disk_index.hpp"

namespace troupe::store {

std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t id);
std::filesystem::path dead_path(const std::filesystem::path& folder, std::uint64_t id);
/// The id in a segment's file name, 0 if it is not one.
std::uint64_t segment_id_of(const std::filesystem::path& file);

/// Seeds the checksum of the front at `offset` of a segment.
record_place place_in(std::uint64_t segment, std::uint64_t offset);

aligned_buffer make_segment_header(std::uint64_t id, unix_ms now);
/// Footer and trailer for a segment whose records end at `end`.
aligned_buffer make_segment_footer(std::uint64_t id, std::uint64_t end, std::span<const disk_entry> entries, std::uint64_t key_id);
/// An upper bound of its size, to be kept free while records are added.
std::uint64_t segment_footer_bytes_max(std::size_t entries);

struct segment_content {
  bool is_foreign_version = false;  ///< intact, but of another version: nothing else is filled in
  bool was_sealed = false;          ///< had a footer; otherwise it was scanned
  std::uint64_t bytes = 0;          ///< of the file
  std::uint64_t end = 0;            ///< where a footer may be written
  std::vector<disk_entry> entries;  ///< by offset, without those that were dropped
  std::uint64_t dropped = 0;        ///< records left out because they were dropped
  std::uint64_t other_key = 0;      ///< left out because they are encrypted under another key, or not at all
  std::uint64_t damaged = 0;        ///< records that are not intact, and stretches that are none
};

/// Reads footer and dropped records, or scans. Failures: io_failed.
expected<segment_content> read_segment(const std::filesystem::path& folder, std::uint64_t id, std::uint64_t key_id);

/// Notes that the records at `offsets` were dropped. False with errno set.
bool append_dead(const std::filesystem::path& folder, std::uint64_t id, std::span<const std::uint64_t> offsets);

}  // namespace troupe::store
