#include "engine/store/block_io.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/store/file_io.hpp"

namespace troupe::store {

int block_io::allocate(int descriptor, std::uint64_t bytes) {
  const auto size = static_cast<off_t>(bytes);
  int failed = 0;
  do failed = ::fallocate(descriptor, 0, 0, size) == 0 ? 0 : errno;
  while (failed == EINTR);
  if (failed != EOPNOTSUPP) return -failed;
  return ::ftruncate(descriptor, size) == 0 ? 0 : -errno;
}

int block_io::write_now(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes) {
  errno = 0;
  if (write_at(descriptor, offset, bytes)) return 0;
  return errno == 0 ? -ENOSPC : -errno;
}

namespace {

class plain_io final : public block_io {
 public:
  void submit(const io_operation& operation) override { done_.push_back({operation.id, run(operation)}); }
  void reap(std::vector<io_completion>& into, std::chrono::milliseconds) override {
    into.insert(into.end(), done_.begin(), done_.end());
    done_.clear();
  }

 private:
  static std::int64_t run(const io_operation& operation) {
    auto offset = operation.offset;
    std::int64_t moved = 0;
    for (const auto& part : operation.parts) {
      const std::span bytes(static_cast<std::byte*>(part.iov_base), part.iov_len);
      errno = 0;
      if (operation.what == io_operation::kind::write) {
        if (!write_at(operation.descriptor, offset, bytes)) return errno == 0 ? -ENOSPC : -errno;
        moved += static_cast<std::int64_t>(bytes.size());
      } else {
        const auto count = read_at(operation.descriptor, offset, bytes);
        if (count < 0) return -errno;
        moved += count;
        if (count < static_cast<std::int64_t>(bytes.size())) break;
      }
      offset += bytes.size();
    }
    return moved;
  }
  std::vector<io_completion> done_;
};

}  // namespace

std::unique_ptr<block_io> make_plain_io() { return std::make_unique<plain_io>(); }

}  // namespace troupe::store
