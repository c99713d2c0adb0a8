// [audit]: a line for each request that came, and what of its content is in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/text/redaction.hpp"
#include "messages/base/audit_limits.hpp"

namespace troupe::actors {

struct audit_config {
  std::filesystem::path file;                                      ///< JSONL; empty: off
  std::string content = "none";                                    ///< none, digest, full
  std::vector<std::string> redact = text::usual_secret_patterns();  ///< taken out of paths and contents
  std::uint64_t content_bytes_max = limits::audit_content_bytes_max;
  std::uint64_t bytes_max = limits::audit_file_bytes_max;
  std::uint32_t files_max = limits::audit_files_max;
  bool operator==(const audit_config&) const = default;
};

}  // namespace troupe::actors
