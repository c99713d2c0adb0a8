// The secret that every block hash starts from. Kept in a file of mode 0600 that is made once, so that cached blocks keep their names
// over restarts and nobody can guess the hash of a prompt from outside.
#pragma once

#include <cstdint>
#include <filesystem>

#include "messages/base/errc.hpp"

namespace troupe::actors {

/// Reads the key file or makes it, with its folder. Failures: io_failed; corrupt_data for a file that is too short.
expected<std::uint64_t> cache_secret(const std::filesystem::path& file);

}  // namespace troupe::actors
