// File: 16 bytes of magic and version, then frames: {u32 payload length, u32 flags (0), u64 XXH3-64 of the payload}, payload. All
// numbers are little-endian. Every write names its offset, so what a failed append leaves behind is overwritten by the next one.
#include "engine/store/journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <vector>

#include "engine/store/file_io.hpp"
#include "messages/base/limits.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::store {
namespace {

constexpr std::uint32_t version = 1;
constexpr std::size_t header_bytes = 16;
constexpr std::size_t frame_bytes = 16;
constexpr std::size_t rewrite_buffer_bytes = 1 << 20;  // one write per MiB: compaction is bound by the disk, not by calls

void put_number(std::byte* to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint64_t get_number(const std::byte* from, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= static_cast<std::uint64_t>(from[i]) << (8 * i);
  return value;
}

std::array<std::byte, header_bytes> make_header() {
  std::array<std::byte, header_bytes> header{};
  std::memcpy(header.data(), "troupejl", 8);
  put_number(header.data() + 8, version, 4);
  return header;
}

std::uint64_t checksum(std::span<const std::byte> payload) { return XXH3_64bits(payload.data(), payload.size()); }

void append_frame(std::vector<std::byte>& to, std::span<const std::byte> record) {
  const auto begin = to.size();
  to.resize(begin + frame_bytes);
  put_number(to.data() + begin, record.size(), 4);
  put_number(to.data() + begin + 8, checksum(record), 8);
  to.insert(to.end(), record.begin(), record.end());
}

failure too_long(std::size_t size) {
  return {errc::invalid_request,
          "a journal record of " + std::to_string(size) + " bytes is longer than " + std::to_string(limits::journal_record_bytes_max),
          {}};
}

/// Closes on every way out unless released.
struct open_file {
  int descriptor = -1;
  ~open_file() {
    if (descriptor >= 0) ::close(descriptor);
  }
  int release() { return std::exchange(descriptor, -1); }
};

/// Two nodes on one data directory would interleave their records. File systems without locks are used without.
bool is_locked_by_another(int descriptor) { return ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; }

/// Whether `file` still names what is open: a rewrite by another process puts a new file there and lets go of the old one's lock.
bool is_named_by(const std::filesystem::path& file, const struct stat& opened) {
  struct stat named {};
  return ::stat(file.c_str(), &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

enum class header_check { good, unfinished, foreign, failed };

header_check check_header(int descriptor) {
  const auto expected_header = make_header();
  std::array<std::byte, header_bytes> header{};
  const auto count = read_at(descriptor, 0, header);
  if (count < 0) return header_check::failed;
  const auto size = static_cast<std::size_t>(count);
  if (std::memcmp(header.data(), expected_header.data(), size) != 0) return header_check::foreign;
  return size == header_bytes ? header_check::good : header_check::unfinished;
}

/// Hands over the intact records; returns where the last one ends, or -1 with errno set.
std::int64_t read_records(int descriptor, const journal::reader& read) {
  std::uint64_t offset = header_bytes;
  std::array<std::byte, frame_bytes> frame{};
  std::vector<std::byte> payload;
  for (;;) {
    auto count = read_at(descriptor, offset, frame);
    if (count < 0) return -1;
    const auto length = get_number(frame.data(), 4);
    if (count < static_cast<std::int64_t>(frame_bytes) || length > limits::journal_record_bytes_max || get_number(frame.data() + 4, 4) != 0)
      return static_cast<std::int64_t>(offset);
    payload.resize(length);
    count = read_at(descriptor, offset + frame_bytes, payload);
    if (count < 0) return -1;
    if (static_cast<std::uint64_t>(count) < length || checksum(payload) != get_number(frame.data() + 8, 8))
      return static_cast<std::int64_t>(offset);
    offset += frame_bytes + length;
    if (read) read(payload);
  }
}

/// Writes frames to a new file through a buffer; the first error stops everything after it.
class frame_writer {
 public:
  explicit frame_writer(int descriptor) : descriptor_(descriptor) {
    const auto header = make_header();
    buffer_.assign(header.begin(), header.end());
  }
  void add(std::span<const std::byte> record) {
    if (record.size() > limits::journal_record_bytes_max) longest_ = std::max(longest_, record.size());
    if (errno_ != 0 || longest_ != 0) return;
    append_frame(buffer_, record);
    if (buffer_.size() >= rewrite_buffer_bytes) flush();
  }
  bool finish() {
    flush();
    if (errno_ == 0 && ::fsync(descriptor_) != 0) errno_ = errno;
    errno = errno_;
    return errno_ == 0 && longest_ == 0;
  }
  [[nodiscard]] std::uint64_t bytes() const { return written_; }
  [[nodiscard]] std::size_t longest() const { return longest_; }  ///< of the records that are too long, or 0

 private:
  void flush() {
    if (errno_ != 0) return;
    if (!write_at(descriptor_, written_, buffer_)) errno_ = errno == 0 ? EIO : errno;
    written_ += buffer_.size();
    buffer_.clear();
  }
  int descriptor_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  int errno_ = 0;
  std::size_t longest_ = 0;
};

std::filesystem::path temporary_of(const std::filesystem::path& file) { return file.string() + ".new"; }

/// Removes the half-made file on every way out but success, a throwing caller's included.
struct temporary_file {
  std::filesystem::path path;
  bool kept = false;
  ~temporary_file() {
    if (!kept) ::unlink(path.c_str());
  }
};

}  // namespace

/// The members are destroyed from the last on: the thread has ended before what it uses goes.
struct journal::rewriting {
  explicit rewriting(std::filesystem::path path) : temporary{std::move(path)} {}

  temporary_file temporary;
  open_file fresh;
  std::vector<std::byte> content, since;  ///< frames; those that were appended meanwhile
  std::uint64_t length = 0;               ///< of `content`, which goes when it is written
  std::future<int> written;               ///< errno
};

journal::journal() = default;

expected<std::unique_ptr<journal>> journal::open(const std::filesystem::path& file, const reader& read) {
  std::unique_ptr<journal> result(new journal);
  result->file_ = file;
  result->descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int descriptor = result->descriptor_;
  if (descriptor < 0) return io_failure("open", file);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return io_failure("examine", file);
  if (!S_ISREG(status.st_mode)) return failure{errc::corrupt_data, file.string() + " is not a journal: it is not a regular file", {}};
  if (is_locked_by_another(descriptor)) return failure{errc::io_failed, file.string() + " is in use by another process", {}};
  if (::fstat(descriptor, &status) != 0) return io_failure("examine", file);  // again: it may have grown before the lock was ours
  if (!is_named_by(file, status)) return failure{errc::io_failed, file.string() + " is in use by another process", {}};
  switch (check_header(descriptor)) {
    case header_check::failed:
      return io_failure("read", file);
    case header_check::foreign:
      return failure{errc::corrupt_data, file.string() + " is not a journal of version 1", {}};
    case header_check::unfinished:
      if (!write_at(descriptor, 0, make_header())) return io_failure("write", file);
      result->bytes_ = header_bytes;
      return result;
    case header_check::good:
      break;
  }
  const auto end = read_records(descriptor, read);
  if (end < 0) return io_failure("read", file);
  result->bytes_ = static_cast<std::uint64_t>(end);
  result->bytes_cut_ = static_cast<std::uint64_t>(status.st_size) - result->bytes_;
  if (result->bytes_cut_ != 0 && ::ftruncate(descriptor, end) != 0) return io_failure("cut", file);
  return result;
}

journal::~journal() {
  [[maybe_unused]] const auto ignored = finish_rewrite();  // else the old file stays, which has it all
  if (descriptor_ >= 0) ::close(descriptor_);
}

expected<std::uint64_t> journal::append(std::span<const std::byte> record) {
  if (record.size() > limits::journal_record_bytes_max) return too_long(record.size());
  std::vector<std::byte> frame;
  frame.reserve(frame_bytes + record.size());
  append_frame(frame, record);
  if (!write_at(descriptor_, bytes_, frame)) {
    auto error = io_failure("append to", file_);
    // If even this fails, the next append overwrites the piece and the next opening cuts it.
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, static_cast<off_t>(bytes_));
    return error;
  }
  bytes_ += frame.size();
  if (!rewriting_) return bytes_;
  auto& since = rewriting_->since;
  since.insert(since.end(), frame.begin(), frame.end());
  const bool is_done = rewriting_->written.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  if (!is_done && since.size() <= limits::journal_rewrite_tail_max) return bytes_;
  if (const auto finished = finish_rewrite(); !finished) failed_ = finished.error();  // the record is in the old file
  return bytes_;
}

expected<std::uint64_t> journal::begin_rewrite(const visitor& records) {
  if (failed_) return *std::exchange(failed_, std::nullopt);
  if (rewriting_ || bytes_ < retry_at_) return bytes_;
  auto made = std::make_unique<rewriting>(temporary_of(file_));
  made->fresh.descriptor = ::open(made->temporary.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int descriptor = made->fresh.descriptor;
  if (descriptor < 0) return io_failure("create", made->temporary.path);
  if (is_locked_by_another(descriptor)) return failure{errc::io_failed, made->temporary.path.string() + " is in use by another process", {}};
  const auto header = make_header();
  made->content.assign(header.begin(), header.end());
  std::size_t longest = 0;
  records([&](std::span<const std::byte> record) {
    longest = std::max(longest, record.size());
    append_frame(made->content, record);
  });
  if (longest > limits::journal_record_bytes_max) return too_long(longest);
  made->length = made->content.size();
  made->written = std::async(std::launch::async, [descriptor, &content = made->content] {
    errno = 0;
    const int status = write_at(descriptor, 0, content) && ::fsync(descriptor) == 0 ? 0 : errno == 0 ? EIO : errno;
    content = {};
    return status;
  });
  rewriting_ = std::move(made);
  return bytes_;
}

expected<std::uint64_t> journal::finish_rewrite() {
  if (!rewriting_) return bytes_;
  const auto ended = std::move(rewriting_);
  retry_at_ = bytes_ + limits::journal_bytes_min;
  errno = ended->written.get();
  const auto length = ended->length;
  if (errno != 0 || !write_at(ended->fresh.descriptor, length, ended->since)) return io_failure("write", ended->temporary.path);
  if (::rename(ended->temporary.path.c_str(), file_.c_str()) != 0) return io_failure("replace", file_);
  ended->temporary.kept = true;
  ::close(descriptor_);
  descriptor_ = ended->fresh.release();
  bytes_ = length + ended->since.size();
  retry_at_ = 0;
  return bytes_;
}

expected<std::uint64_t> journal::rewrite(const visitor& records) {
  if (const auto finished = finish_rewrite(); !finished) return finished;
  temporary_file temporary{temporary_of(file_)};
  open_file fresh{::open(temporary.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (fresh.descriptor < 0) return io_failure("create", temporary.path);
  if (is_locked_by_another(fresh.descriptor))
    return failure{errc::io_failed, temporary.path.string() + " is in use by another process", {}};
  frame_writer writer(fresh.descriptor);
  records([&writer](std::span<const std::byte> record) { writer.add(record); });
  if (!writer.finish()) return writer.longest() != 0 ? too_long(writer.longest()) : io_failure("write", temporary.path);
  if (::rename(temporary.path.c_str(), file_.c_str()) != 0) return io_failure("replace", file_);
  temporary.kept = true;
  ::close(descriptor_);
  descriptor_ = fresh.release();
  bytes_ = writer.bytes();
  if (!sync_directory_of(file_)) return io_failure("sync the folder of", file_);
  return bytes_;
}

}  // namespace troupe::store
