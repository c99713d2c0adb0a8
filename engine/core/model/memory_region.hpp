// Large anonymous memory: weights, KV blocks, workspaces. Huge pages are advised, pages are zero and take no room until they
// are touched, and a refusal by the operating system is a failure instead of an exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "messages/base/errc.hpp"

namespace troupe::core {

class memory_region {
 public:
  /// `bytes` >= 1. Fails with io_failed.
  static expected<memory_region> allocate(std::uint64_t bytes);

  memory_region() = default;
  memory_region(memory_region&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  memory_region& operator=(memory_region&& other) noexcept;
  ~memory_region();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace troupe::core
