// One ring, one thread. The kernel may do less than was asked: the rest is submitted again until nothing more moves.
#include <liburing.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "engine/store/block_io.hpp"

namespace troupe::store {
namespace {

/// The ring's own queue holds this many; what is submitted beyond waits in the kernel, not in the queue.
constexpr unsigned entries_max = 256;

class uring_io final : public block_io {
 public:
  explicit uring_io(unsigned operations_max) : running_(operations_max) {
    for (unsigned i = operations_max; i > 0; --i) free_.push_back(i - 1);
  }
  int begin() {
    io_uring_params params{};
    // The completion queue takes every operation that may be in flight, so that none is lost.
    params.flags = IORING_SETUP_CQSIZE;
    params.cq_entries = static_cast<unsigned>(running_.size()) * 2;
    const int failed = io_uring_queue_init_params(std::min<unsigned>(entries_max, static_cast<unsigned>(running_.size())), &ring_, &params);
    open_ = failed == 0;
    return failed;
  }
  ~uring_io() override {
    std::vector<io_completion> ignored;
    while (open_ && in_flight() > 0) reap(ignored, std::chrono::milliseconds(100));  // the kernel still writes to their memory
    if (open_) io_uring_queue_exit(&ring_);
  }

  void submit(const io_operation& operation) override {
    const auto slot = free_.back();
    free_.pop_back();
    running_[slot] = {operation, 0};
    start(slot);
  }

  void reap(std::vector<io_completion>& into, std::chrono::milliseconds longest) override {
    const auto before = into.size();
    take_ready(into);
    if (into.size() != before || in_flight() == 0 || longest.count() <= 0) return;
    __kernel_timespec wait{longest.count() / 1000, longest.count() % 1000 * 1'000'000};
    io_uring_cqe* ready = nullptr;
    io_uring_wait_cqe_timeout(&ring_, &ready, &wait);
    take_ready(into);
  }

 private:
  struct running {
    io_operation operation;
    std::int64_t moved = 0;
  };

  [[nodiscard]] std::size_t in_flight() const { return running_.size() - free_.size(); }

  void start(std::uint32_t slot) {
    const auto& operation = running_[slot].operation;
    auto* entry = io_uring_get_sqe(&ring_);  // never null: each entry is submitted at once
    const unsigned parts = operation.parts[1].iov_len > 0 ? 2 : 1;
    if (operation.what == io_operation::kind::write)
      io_uring_prep_writev(entry, operation.descriptor, operation.parts.data(), parts, operation.offset);
    else
      io_uring_prep_readv(entry, operation.descriptor, operation.parts.data(), parts, operation.offset);
    entry->user_data = slot;
    int count = 0;
    do count = io_uring_submit(&ring_);
    while (count == -EINTR || count == -EAGAIN || count == -EBUSY);
  }

  void take_ready(std::vector<io_completion>& into) {
    io_uring_cqe* entry = nullptr;
    while (io_uring_peek_cqe(&ring_, &entry) == 0 && entry != nullptr) {
      const auto slot = static_cast<std::uint32_t>(entry->user_data);
      const std::int64_t result = entry->res;
      io_uring_cqe_seen(&ring_, entry);
      if (slot >= running_.size()) continue;  // the timeout's own completion
      finish_or_continue(slot, result, into);
    }
  }

  void finish_or_continue(std::uint32_t slot, std::int64_t result, std::vector<io_completion>& into) {
    auto& [operation, moved] = running_[slot];
    if (result == -EINTR || result == -EAGAIN) return start(slot);
    if (result > 0) {
      moved += result;
      operation.offset += static_cast<std::uint64_t>(result);
      if (advance(operation.parts, static_cast<std::size_t>(result))) return start(slot);
      result = moved;
    } else if (result == 0) {
      result = operation.what == io_operation::kind::write ? -ENOSPC : moved;
    }
    into.push_back({operation.id, result});
    free_.push_back(slot);
  }

  /// Whether something is left.
  static bool advance(std::array<iovec, 2>& parts, std::size_t bytes) {
    const auto first = std::min(bytes, parts[0].iov_len);
    parts[0] = {static_cast<std::byte*>(parts[0].iov_base) + first, parts[0].iov_len - first};
    parts[1] = {static_cast<std::byte*>(parts[1].iov_base) + (bytes - first), parts[1].iov_len - (bytes - first)};
    if (parts[0].iov_len == 0) parts = {parts[1], iovec{nullptr, 0}};
    return parts[0].iov_len > 0;
  }

  io_uring ring_{};
  bool open_ = false;
  std::vector<running> running_;
  std::vector<std::uint32_t> free_;
};

}  // namespace

expected<std::unique_ptr<block_io>> make_uring_io(unsigned operations_max) {
  auto io = std::make_unique<uring_io>(operations_max);
  if (const int failed = io->begin(); failed != 0)
    return failure{errc::io_failed, "io_uring is not available: " + std::generic_category().message(-failed), {}};
  return std::unique_ptr<block_io>(std::move(io));
}

}  // namespace troupe::store
