// What disk_store is made of. disk_store.cpp takes calls, disk_completion.cpp ends them, disk_segments.cpp writes and seals segments,
// disk_reclaim.cpp reclaims them, disk_pins.cpp says what a reclaim may not take, disk_open.cpp rebuilds, disk_integrity.cpp checks.
//
// A segment:  open (one) -> sealing (its last writes are in flight) -> sealed -> gone.
// A reclaim:  victim chosen when no further segment fits the budget -> its valued blocks are read and written to the open segment, as
//             the write rate admits -> gone with the rest. If the open segment is full before that, the victim goes as it is, unless it
//             has pinned blocks: for these the open segment keeps room, and puts that would take it are busy.
#pragma once

#include <list>
#include <map>

#include "engine/store/aligned_buffer.hpp"
#include "engine/store/block_record.hpp"
#include "engine/store/disk_index.hpp"
#include "engine/store/disk_store.hpp"
#include "engine/store/token_bucket.hpp"

namespace troupe::store {

struct disk_store::state {
  /// Blocks being carried over at once: enough to keep a disk busy beside the puts.
  static constexpr std::uint32_t carries_max = 4;

  /// Closes with its last user: a segment may be removed while one of its blocks is being read.
  struct descriptor {
    explicit descriptor(int value) : value(value) {}
    ~descriptor();
    descriptor(const descriptor&) = delete;
    int value;
  };
  using shared_descriptor = std::shared_ptr<descriptor>;

  struct segment {
    enum class phase : std::uint8_t { open, sealing, sealed } phase = phase::sealed;
    std::uint64_t bytes = 0;          ///< of the file
    std::uint64_t end = 0;            ///< of its records
    std::uint32_t records = 0;        ///< begun in it; the footer has room for as many
    std::uint32_t writes = 0;         ///< in flight
    std::uint32_t writes_failed = 0;  ///< in a row
    std::uint64_t other_key = 0;      ///< records that another key could read: the segment does not go for being empty
    shared_descriptor file;           ///< empty: not open at present
  };

  struct operation {
    enum class kind : std::uint8_t { none, put, get, carry_read, carry_write } what = kind::none;
    store_ticket ticket;
    disk_entry entry;  ///< where it is read or written
    std::uint64_t carried_from = 0, carried_offset = 0;
    bool dropped = false;              ///< put: while it was being written
    stored_block wanted;               ///< get
    std::span<std::byte> destination;  ///< get
    aligned_buffer front, payload;     ///< payload: only if the caller's memory cannot be used
    shared_descriptor file;
  };

  explicit state(const disk_store_options& options);
  ~state();

  // disk_store.cpp
  store_result put(unix_ms now, const stored_block& block, std::span<const std::byte> payload, store_ticket ticket);
  store_result get(unix_ms now, const stored_block& wanted, std::span<std::byte> destination, store_ticket ticket);
  void begin_put(operation&& begun, const stored_block& block, std::span<const std::byte> payload);
  std::size_t drop(std::span<const block_hash> hashes);
  void advance(unix_ms now, std::chrono::milliseconds longest, std::vector<store_completion>* completions);
  /// Starts it: `payload` is the memory that the disk reads or writes besides the front.
  void begin_operation(operation&& begun, io_operation::kind what, std::span<std::byte> payload);
  [[nodiscard]] bool is_being_written(const disk_entry& entry) const;
  void remove(disk_index::slot slot, removal_cause cause);   ///< from the index alone
  void discard(disk_index::slot slot, removal_cause cause);  ///< also for after a restart, and its segment if it was the last
  void note_dead(std::uint64_t segment, std::span<const std::uint64_t> offsets);
  void announce_stored(const disk_entry& entry);

  // disk_completion.cpp
  void complete(const io_completion& done, std::vector<store_completion>* completions);
  store_result finish_put(const operation& ended, std::int64_t result);
  store_result finish_get(const operation& ended, std::int64_t result);
  void finish_carry_read(operation& ended, std::int64_t result);
  void finish_carry_write(const operation& ended, std::int64_t result);
  /// Whether all of the record is on disk.
  bool end_write(const operation& ended, std::int64_t result);
  /// The slot of what `entry` described when its operation began, if it is still there.
  [[nodiscard]] disk_index::slot same_place(const disk_entry& entry, std::uint64_t segment, std::uint64_t offset) const;

  // disk_segments.cpp
  store_result make_room(unix_ms now, std::uint64_t record_bytes);  ///< pending: the open segment has it
  [[nodiscard]] bool fits_open(std::uint64_t record_bytes, std::size_t records = 1) const;
  [[nodiscard]] bool fits_beside_pins(std::uint64_t record_bytes) const;  ///< beside what pinned blocks will need there
  /// Gives the entry the next place in the open segment, which fits it.
  shared_descriptor reserve(disk_entry& entry);
  bool create_segment(unix_ms now);
  void seal_if_written(std::uint64_t id);
  void close_segment(std::uint64_t id);
  void remove_segment(std::uint64_t id, removal_cause cause);
  void remove_if_empty(std::uint64_t id);
  [[nodiscard]] shared_descriptor descriptor_of(std::uint64_t id);

  // disk_reclaim.cpp
  [[nodiscard]] std::uint64_t choose_victim() const;     ///< 0: none
  [[nodiscard]] std::uint64_t choose_removable() const;  ///< that goes at once, nothing of it carried over; 0: none
  void begin_reclaim();
  void collect_carry();
  void reclaim(unix_ms now);
  void begin_carry(unix_ms now);

  // disk_pins.cpp
  void settle_pins();
  void settle_pin(disk_index::slot slot);
  /// The pinned part of what must move to the open segment before the next one can be begun: the victim's, and of the one after it if need be.
  [[nodiscard]] disk_index::segment_share pins_owed() const;
  void count_error() { ++counts.io_errors; }

  // disk_open.cpp
  std::optional<failure> rebuild(unix_ms now);
  void add_segment(std::uint64_t id, unix_ms now);
  bool seal_found(std::uint64_t id);  ///< a segment that a killed process left without footer
  std::optional<std::string> check_integrity() const;

  disk_store_options options;
  record_codec codec;
  std::unique_ptr<block_io> io;
  int folder_lock = -1;
  bool direct = true;
  disk_store_opening opening;

  disk_index index;
  stored_pins pins;
  std::map<std::uint64_t, segment> segments;  ///< ascending by age
  std::list<std::uint64_t> files_open;        ///< sealed segments with a descriptor, the last used at the end
  std::uint64_t open_segment = 0;             ///< 0: none
  std::uint64_t next_segment = 1;
  std::uint64_t bytes_used = 0;
  unix_ms no_segment_before = 0;  ///< after the disk refused one

  std::uint64_t victim = 0;       ///< being reclaimed; 0: none
  std::vector<disk_entry> carry;  ///< still to be read from the victim, the most valued last
  std::uint64_t carry_bytes_left = 0;
  std::uint32_t carries = 0;  ///< in flight

  std::vector<operation> operations;
  std::vector<std::uint32_t> operations_free;
  std::uint32_t in_flight = 0;  ///< puts and gets
  buffer_pool buffers;
  token_bucket rate;
  std::vector<io_completion> done;
  std::vector<disk_event> events;
  disk_store_counts counts;
};

}  // namespace troupe::store
