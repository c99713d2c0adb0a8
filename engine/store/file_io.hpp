// Whole reads and writes at an offset: the kernel may do less than was asked, or be interrupted, and neither is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::store {

/// The failure for the current errno: "cannot <what> <file>: <reason>".
failure io_failure(std::string_view what, const std::filesystem::path& file);

/// False with errno set when not everything could be written; some of it may have been.
bool write_at(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes);

/// Fills `bytes` as far as the file reaches. Returns the count read, or -1 with errno set.
std::int64_t read_at(int descriptor, std::uint64_t offset, std::span<std::byte> bytes);

/// Makes the directory entry of `file` durable. False with errno set.
bool sync_directory_of(const std::filesystem::path& file);

}  // namespace troupe::store
