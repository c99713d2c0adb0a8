#include "engine/core/model/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace troupe::core {
namespace {

failure refused(const std::filesystem::path& file, int reason) {
  return {errc::io_failed, "cannot read " + file.string() + ": " + std::strerror(reason), ""};
}

}  // namespace

expected<mapped_file> mapped_file::open(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang us
  if (descriptor < 0) return refused(file, errno);
  struct stat status {};
  const int error = fstat(descriptor, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : S_ISREG(status.st_mode) ? 0 : EINVAL;
  if (error != 0 || status.st_size == 0) {
    close(descriptor);
    if (error != 0) return refused(file, error);
    return failure{errc::corrupt_data, file.string() + " is empty", ""};
  }
  const auto bytes = static_cast<std::size_t>(status.st_size);
  void* address = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int reason = errno;
  close(descriptor);
  if (address == MAP_FAILED) return refused(file, reason);
  mapped_file mapped;
  mapped.data_ = static_cast<const std::byte*>(address);
  mapped.bytes_ = bytes;
  return mapped;
}

mapped_file& mapped_file::operator=(mapped_file&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

mapped_file::~mapped_file() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), bytes_);
}

expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t bytes_max) {
  auto mapped = mapped_file::open(file);
  if (!mapped) return mapped.error();
  const auto bytes = mapped->bytes();
  if (bytes.size() > bytes_max) {
    return failure{errc::corrupt_data, file.string() + " is larger than " + std::to_string(bytes_max) + " bytes", ""};
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace troupe::core
