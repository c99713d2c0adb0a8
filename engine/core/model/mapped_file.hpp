// A file as read-only bytes. Whoever shortens the file while it is mapped kills the reader, so a mapping lives only
// while weights are copied out of it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "messages/base/errc.hpp"

namespace troupe::core {

class mapped_file {
 public:
  /// Regular files only. Fails with io_failed; an empty file is corrupt_data.
  static expected<mapped_file> open(const std::filesystem::path& file);

  mapped_file(mapped_file&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  mapped_file& operator=(mapped_file&& other) noexcept;
  ~mapped_file();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, bytes_}; }

 private:
  mapped_file() = default;
  const std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A small text file, whole. Fails with io_failed, or corrupt_data beyond `bytes_max`.
expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace troupe::core
