// How the disk store moves bytes: io_uring, or calls that block. An interface of its own so that tests can let any operation fail.
#pragma once

#include <sys/uio.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "messages/base/errc.hpp"

namespace troupe::store {

struct io_operation {
  enum class kind : std::uint8_t { read, write } what = kind::read;
  int descriptor = -1;
  std::uint64_t offset = 0;
  std::array<iovec, 2> parts{};  ///< consecutive in the file; the second may be empty. Their memory stays until the completion
  std::uint64_t id = 0;
};

struct io_completion {
  std::uint64_t id = 0;
  std::int64_t result = 0;  ///< bytes moved, fewer than wanted only at the end of a file; or -errno
};

class block_io {
 public:
  virtual ~block_io() = default;
  /// At most as many as it was made for may be in flight. Failures arrive as completions.
  virtual void submit(const io_operation& operation) = 0;
  /// Appends what has completed; if nothing has and something is in flight, waits up to `longest` for it.
  virtual void reap(std::vector<io_completion>& into, std::chrono::milliseconds longest) = 0;
  /// Gives `descriptor` a size of `bytes`, with space reserved where the file system can. 0 or -errno. Blocks.
  virtual int allocate(int descriptor, std::uint64_t bytes);
  /// Writes all of `bytes`, 0 or -errno. Blocks.
  virtual int write_now(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes);
};

/// pread and pwrite within submit.
std::unique_ptr<block_io> make_plain_io();
/// Fails with io_failed where the kernel or a sandbox has no io_uring.
expected<std::unique_ptr<block_io>> make_uring_io(unsigned operations_max);

}  // namespace troupe::store
