// An append-only file of records that survives kill -9: each frame is length, XXH3-64 of the payload, payload. A torn or corrupt
// tail is cut off at opening; everything before it is read. Written through the page cache, so a power cut may lose the end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "messages/base/errc.hpp"

namespace troupe::store {

class journal {
 public:
  using reader = std::function<void(std::span<const std::byte>)>;
  /// Hands each record that shall stay to what it is given.
  using visitor = std::function<void(const reader&)>;
  /// Opens or creates `file`, hands every intact record to `read` in order, cuts a torn tail. Failures: io_failed (also: the
  /// file is open elsewhere, it is locked while this lives), corrupt_data (not a journal).
  static expected<std::unique_ptr<journal>> open(const std::filesystem::path& file, const reader& read);
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  /// Appends one record of at most limits::journal_record_bytes_max. Failures: io_failed (disk full: nothing partial stays),
  /// invalid_request (too long).
  expected<std::uint64_t> append(std::span<const std::byte> record);  ///< the file's length after it
  /// Replaces the whole content by `records`, atomically (a new file, renamed over). A failure leaves the old content, unless only the
  /// folder could not be synced.
  expected<std::uint64_t> rewrite(const visitor& records);
  /// The same, but a thread of its own writes the new file, and whoever appends does not wait for the disk: the first append after it has done
  /// puts the new file, with all that was appended meanwhile, in the old one's place. Nothing while one is under way, nor after one that failed before
  /// the file has grown by limits::journal_bytes_min. Failures: io_failed (no new file, or that of the last time: said once), invalid_request (a
  /// record is too long).
  expected<std::uint64_t> begin_rewrite(const visitor& records);
  /// Waits for it, and puts the new file in its place.
  expected<std::uint64_t> finish_rewrite();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t bytes_cut() const noexcept { return bytes_cut_; }  ///< torn tail found at opening

 private:
  journal();
  int descriptor_ = -1;
  std::filesystem::path file_;
  std::uint64_t bytes_ = 0, bytes_cut_ = 0;
  struct rewriting;
  std::unique_ptr<rewriting> rewriting_;  ///< null: none is under way
  std::optional<failure> failed_;         ///< the last one, if nobody has been told
  std::uint64_t retry_at_ = 0;            ///< bytes
};

}  // namespace troupe::store
