#include "engine/core/model/memory_region.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace troupe::core {

expected<memory_region> memory_region::allocate(std::uint64_t bytes) {
  void* address = bytes > PTRDIFF_MAX ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    const int reason = bytes > PTRDIFF_MAX ? ENOMEM : errno;
    return failure{errc::io_failed, "cannot allocate " + std::to_string(bytes) + " bytes: " + std::strerror(reason), ""};
  }
  // Advice only: without huge pages everything works, more slowly.
  (void)madvise(address, bytes, MADV_HUGEPAGE);
  memory_region region;
  region.data_ = static_cast<std::byte*>(address);
  region.bytes_ = bytes;
  return region;
}

memory_region& memory_region::operator=(memory_region&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

memory_region::~memory_region() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace troupe::core
