// Opening: options are checked, the folder is locked, every segment is read, what should not be there goes.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "engine/store/disk_store_state.hpp"
#include "engine/store/file_io.hpp"
#include "engine/store/segment_file.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

namespace fs = std::filesystem;

/// Of buffers for I/O: sixteen blocks of 3.5 MiB and their fronts. Beyond, each operation allocates.
constexpr std::size_t buffer_bytes_kept_max = 64 << 20;

failure unusable(std::string what) { return {errc::invalid_request, std::move(what), {}}; }

std::optional<failure> check(const disk_store_options& options) {
  if (options.segment_bytes % page_bytes != 0 || options.segment_bytes < 8 * page_bytes || options.segment_bytes > (std::uint64_t{1} << 31))
    return unusable("segment_bytes must be whole pages of 4096 bytes, from 32 KiB to 2 GiB");
  if (options.budget_bytes < 4 * options.segment_bytes) return unusable("the disk budget must hold at least four segments");
  if (options.budget_bytes / options.segment_bytes > limits::disk_segments_max)
    return unusable("the disk budget is more than " + std::to_string(limits::disk_segments_max) + " segments: make them larger");
  if (options.operations_max == 0 || options.operations_max > limits::disk_operations_max)
    return unusable("operations_max must lie in [1, " + std::to_string(limits::disk_operations_max) + "]");
  if (options.ttl_ms < 0) return unusable("ttl_ms must not be negative");
  return std::nullopt;
}

/// Whether files of this folder can be opened with O_DIRECT; a few file systems refuse.
bool takes_direct(const fs::path& folder) {
  const auto probe = folder / "probe";
  const int opened = ::open(probe.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
  if (opened >= 0) ::close(opened);
  ::unlink(probe.c_str());
  return opened >= 0;
}

std::vector<std::uint64_t> segments_in(const fs::path& folder) {
  std::vector<std::uint64_t> ids;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored))
    if (const auto id = segment_id_of(file.path()); id != 0) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Notes about segments that are gone would be taken for those of a later segment by the same id.
void remove_orphaned_notes(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    auto segment = file.path();
    if (segment.extension() == ".dead" && !fs::exists(segment.replace_extension(".blocks"), ignored)) fs::remove(file.path(), ignored);
  }
}

}  // namespace

disk_store::state::state(const disk_store_options& wanted)
    : options(wanted),
      codec(wanted.cipher),
      index(wanted.carry_priority),
      operations(wanted.operations_max + carries_max),
      buffers(buffer_bytes_kept_max),
      rate(wanted.write_bytes_per_s, wanted.write_bytes_per_s) {
  for (auto id = static_cast<std::uint32_t>(operations.size()); id > 0; --id) operations_free.push_back(id - 1);
}

disk_store::state::~state() {
  if (io) {
    victim = 0;
    carry.clear();
    while (operations_free.size() < operations.size()) {
      done.clear();
      io->reap(done, std::chrono::milliseconds(100));
      for (const auto& each : done) complete(each, nullptr);
    }
    if (open_segment != 0) close_segment(open_segment);
  }
  if (folder_lock >= 0) ::close(folder_lock);
}

void disk_store::state::add_segment(std::uint64_t id, unix_ms now) {
  next_segment = std::max(next_segment, id + 1);
  auto content = read_segment(options.folder, id, codec.key_id());
  if (!content) {  // unreadable: it keeps its place in the budget until it is reclaimed, a later opening may have more luck
    count_error();
    std::error_code failed;
    const auto bytes = fs::file_size(segment_path(options.folder, id), failed);
    segments[id] = {segment::phase::sealed, failed ? 0 : bytes, 0, 0, 0, 0, 1, nullptr};
    bytes_used += segments[id].bytes;
    ++opening.damaged;
    return;
  }
  opening.damaged += content->damaged;
  opening.other_key += content->other_key;
  opening.segments_scanned += !content->was_sealed;
  segments[id] = {segment::phase::sealing, content->bytes, content->end, 0, 0, 0, content->other_key, nullptr};
  bytes_used += content->bytes;
  if (content->is_foreign_version) return remove_segment(id, removal_cause::none);
  for (const auto& entry : content->entries) {
    if (entry.retention.expires != 0 && entry.retention.expires <= now) {
      ++opening.expired;
      continue;
    }
    // A block that was being carried over when the process died is there twice: the later one stays.
    if (const auto slot = index.find(entry.block.hash, entry.layout); slot != disk_index::none) discard(slot, removal_cause::dropped);
    index.insert(entry);
  }
  // Other keys' records would not be in a footer, so such a segment stays as it is.
  const bool is_to_seal = !content->was_sealed && content->other_key == 0;
  if (is_to_seal && seal_found(id)) return;
  segments[id].phase = segment::phase::sealed;
  remove_if_empty(id);
}

bool disk_store::state::seal_found(std::uint64_t id) {
  auto& found = segments.at(id);
  const int opened = ::open(segment_path(options.folder, id).c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) return count_error(), false;
  auto file = std::make_shared<descriptor>(opened);
  // Writes of the killed process may still be on their way to the disk: the cut waits for them, so that none overwrites the footer.
  if (::ftruncate(opened, static_cast<off_t>(found.end)) != 0) return count_error(), false;
  bytes_used = bytes_used - found.bytes + found.end;
  found.bytes = found.end;
  found.file = std::move(file);
  seal_if_written(id);
  return true;
}

std::optional<failure> disk_store::state::rebuild(unix_ms now) {
  std::error_code failed;
  fs::create_directories(options.folder, failed);
  const auto lock = options.folder / "lock";
  folder_lock = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (folder_lock < 0) return io_failure("open", lock);
  if (::flock(folder_lock, LOCK_EX | LOCK_NB) != 0)
    return failure{errc::io_failed, options.folder.string() + " is in use by another process", {}};
  direct = options.use_direct && takes_direct(options.folder);
  opening.io += direct ? ", O_DIRECT" : options.use_direct ? ", page cache (O_DIRECT is not available)" : ", page cache";
  remove_orphaned_notes(options.folder);
  const auto ids = segments_in(options.folder);
  for (const auto id : ids) add_segment(id, now);
  while (bytes_used > options.budget_bytes) remove_segment(choose_victim(), removal_cause::capacity);
  events.clear();  // what was found is the snapshot
  counts.removed = {};
  opening.segments = segments.size();
  opening.segments_removed = ids.size() - segments.size();
  opening.blocks = index.size();
  opening.bytes = index.bytes();
  return std::nullopt;
}

expected<std::unique_ptr<disk_store>> disk_store::open(const disk_store_options& options, unix_ms now, std::unique_ptr<block_io> io) {
  if (auto failed = check(options)) return *failed;
  auto made = std::make_unique<state>(options);
  made->opening.io = io ? "given" : "pread and pwrite";
  if (!io && options.use_uring) {
    auto ring = make_uring_io(static_cast<unsigned>(made->operations.size()));
    made->opening.io = ring ? "io_uring" : "pread and pwrite (" + ring.error().message + ")";
    if (ring) io = std::move(*ring);
  }
  made->io = io ? std::move(io) : make_plain_io();
  if (auto failed = made->rebuild(now)) return *failed;
  return std::unique_ptr<disk_store>(new disk_store(std::move(made)));
}

}  // namespace troupe::store
