// A file of lines that its owner alone may read. Bounded: one that would grow past its maximum becomes <file>.1, that one <file>.2 and so
// on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

struct audit_file_bounds {
  std::uint64_t bytes_max = 0;
  std::uint32_t files_max = 1;  ///< that came before; the oldest is deleted
};

class audit_file {
 public:
  /// Goes on behind what is there, and takes it away from others. io_failed, invalid_request; `param` is the config's key.
  static expected<audit_file> open(std::filesystem::path path, audit_file_bounds bounds);
  ~audit_file();
  audit_file(audit_file&& other) noexcept;
  audit_file& operator=(audit_file&&) = delete;

  /// `line` has its line feed. False: nothing of it is in the file.
  bool write(std::string_view line);

 private:
  audit_file(std::filesystem::path path, audit_file_bounds bounds) : path_(std::move(path)), bounds_(bounds) {}
  expected<bool> open();
  void rotate();

  std::filesystem::path path_;
  audit_file_bounds bounds_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
};

}  // namespace troupe::gateway
