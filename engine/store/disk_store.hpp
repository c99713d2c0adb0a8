// Blocks on a local disk: a log of segment files, an index in memory, and whole segments that leave when the budget is reached. One
// thread owns it; put and get start I/O (io_uring, O_DIRECT) and poll or wait deliver what became of them. Survives kill -9 with every
// block whose put was answered; a power cut may lose the newest. What it returns was compared and checksummed; all else is a miss.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/store/block_cipher.hpp"
#include "engine/store/block_io.hpp"
#include "engine/store/stored_block.hpp"
#include "engine/store/stored_pins.hpp"

namespace troupe::store {

struct disk_store_options {
  std::filesystem::path folder;              ///< made if absent; its own while the store is open
  std::uint64_t budget_bytes = 0;            ///< of all segment files together; at least four segments
  std::uint64_t segment_bytes = 64 << 20;    ///< what leaves at once
  std::uint64_t write_bytes_per_s = 0;       ///< of everything written; 0: no bound
  std::int64_t ttl_ms = 0;                   ///< upper bound of every block's life; 0: none
  std::uint32_t operations_max = 64;         ///< puts and gets in flight
  std::uint8_t carry_priority = 80;          ///< blocks of at least this priority outlive their segment without having been loaded
  double pinned_share_max = 0.5;             ///< of the budget: what pins may keep
  bool use_uring = true, use_direct = true;  ///< false: not even tried
  std::shared_ptr<block_cipher> cipher;      ///< none: not encrypted
};

/// What an opening found, for the log.
struct disk_store_opening {
  std::string io;  ///< "io_uring, O_DIRECT", or what took their place and why
  std::uint64_t segments = 0, blocks = 0, bytes = 0;
  std::uint64_t segments_scanned = 0;  ///< had no footer: the last process did not close the store
  std::uint64_t segments_removed = 0;  ///< of another format version, empty, or beyond a smaller budget
  std::uint64_t damaged = 0;           ///< records or stretches that were skipped
  std::uint64_t expired = 0, other_key = 0;
};

enum class removal_cause : std::uint8_t { none, capacity, ttl, dropped, corrupt };

/// What changed, in order, for the owner to announce. `cause` says why a removed block left.
struct disk_event {
  core::block_event change;
  layout_id layout;
  removal_cause cause = removal_cause::none;
};

struct disk_store_counts {
  std::uint64_t blocks = 0, segments = 0, in_flight = 0;
  std::array<std::uint64_t, core::block_roles> by_role{};  ///< of the blocks; a number that is no role is unknown
  std::uint64_t bytes_live = 0;  ///< of the blocks that can be loaded
  std::uint64_t bytes_used = 0;  ///< of the files; never above the budget
  std::uint64_t stored = 0, present = 0, loaded = 0, missing = 0, mismatched = 0, corrupt = 0;
  std::uint64_t refused_busy = 0, refused_rate = 0, failed = 0;  ///< failed: puts and gets that the operating system ended
  std::uint64_t io_errors = 0;                                   ///< all of them, also those that only cost a footer or a note
  std::uint64_t carried = 0;                                     ///< blocks that outlived their segment
  std::uint64_t pinned = 0;                                      ///< blocks that no reclaim may take, now
  std::uint64_t clipped = 0;                                     ///< blocks that could not be pinned, or not be carried over in spite of it
  std::uint64_t bytes_written = 0, bytes_read = 0;
  std::array<std::uint64_t, 5> removed{};  ///< by removal_cause
};

class disk_store {
 public:
  /// Rebuilds the index. Failures: invalid_request (options that cannot work), io_failed (also: the folder is in use by another process).
  /// `io` replaces what use_uring would choose.
  static expected<std::unique_ptr<disk_store>> open(const disk_store_options& options, unix_ms now, std::unique_ptr<block_io> io = {});
  ~disk_store();  ///< waits for what is in flight and seals the open segment; its completions are lost
  disk_store(const disk_store&) = delete;
  disk_store& operator=(const disk_store&) = delete;

  /// Returns pending (then `payload` must stay as it is until the completion) or at once what became of it. Payloads at page
  /// boundaries (4096) of whole pages are not copied.
  [[nodiscard]] store_result put(unix_ms now, const stored_block& block, std::span<const std::byte> payload, store_ticket ticket);
  /// Returns pending (then `destination`, of exactly the payload's size, is the store's until the completion) or why there is nothing.
  /// A block that is dropped meanwhile still arrives.
  [[nodiscard]] store_result get(unix_ms now, const stored_block& wanted, std::span<std::byte> destination, store_ticket ticket);
  [[nodiscard]] bool holds(const block_hash& hash, layout_id layout) const;
  /// Raises priority and expiry to those given and takes over the role, as a put of a present block does. A restart may forget it: what
  /// is written of a block is written with it. False: not there.
  bool retain(unix_ms now, const block_hash& hash, layout_id layout, stored_retention retention);

  /// Pinned blocks outlive their segment and their expiry, as far as they fit `pinned_share_max`. Blocks that are not there yet are
  /// remembered. A restart forgets it: it is told again.
  void apply(unix_ms now, const stored_intent& intent);
  /// The owner is gone, and what it wished.
  void release(owner_id owner);

  /// Removes the blocks under every layout, those being written included. Returns how many there were. Also durable: they do not return
  /// after a restart, unless the note could not be written (counted as an io_error).
  std::size_t drop(std::span<const block_hash> hashes);

  /// Appends what has completed; expires, reclaims and carries blocks over. Call it at least once a second, also when nothing is in flight.
  void poll(unix_ms now, std::vector<store_completion>& completions);
  /// Like poll, but waits up to `longest` for a completion if there is none yet and something is in flight.
  void wait(unix_ms now, std::chrono::milliseconds longest, std::vector<store_completion>& completions);

  /// Blocks are being carried over: there is something to wait for.
  [[nodiscard]] bool is_carrying() const;
  [[nodiscard]] const disk_store_opening& opening() const;
  [[nodiscard]] disk_store_counts counts() const;
  /// Events since the last call; what nobody takes accumulates. Blocks found at the opening are in no event.
  std::vector<disk_event> take_events();
  /// Every block as a stored event, in no order: for a router shard that is new.
  [[nodiscard]] std::vector<disk_event> snapshot() const;
  /// The first invariant that does not hold, or nothing. O(blocks); tests call it after each operation.
  [[nodiscard]] std::optional<std::string> check_integrity() const;

 private:
  struct state;
  explicit disk_store(std::unique_ptr<state> state);
  std::unique_ptr<state> state_;
};

}  // namespace troupe::store
