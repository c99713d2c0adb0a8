// Whole input files, whatever they are packed in: plain, .xz, .zst (windows up to 2 GiB, as `zstd --long` makes them), a folder of such
// files, or an archive (.tar, .tar.xz, .tar.zst). Which it is, the content says, not the name.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::store {

/// Takes one unpacked file; what it returns ends the reading.
using input_reader = std::function<std::optional<failure>(const std::string& name, std::string_view content)>;

/// Hands over every file behind `path`, by name. Folders and archives lend their files' names, without folders. Failures: io_failed,
/// corrupt_data (a packed file that is torn), invalid_request (larger than limits::input_file_bytes_max), and the reader's own.
std::optional<failure> read_inputs(const std::filesystem::path& path, const input_reader& read);

}  // namespace troupe::store
