// Limits of the audit log, beside those of limits.hpp: whoever writes no such lines need not see them.
#pragma once

#include <cstddef>

namespace troupe::limits {

inline constexpr std::size_t audit_lines_waiting_max = 16'384;       ///< for the disk; a further one is lost and counted
inline constexpr std::size_t audit_held_bytes_max = 256 << 20;       ///< of contents of running and waiting requests; then lines go without theirs
inline constexpr std::size_t audit_content_bytes_max = 1 << 20;      ///< of one request and of one answer in a line; the rest is cut
inline constexpr std::size_t audit_file_bytes_max = 1 << 30;         ///< then it becomes <name>.1
inline constexpr std::size_t audit_files_max = 4;                    ///< that came before; the oldest is deleted

}  // namespace troupe::limits
