#include "gateway/audit_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace troupe::gateway {
namespace {

constexpr mode_t owner_only = 0600;

}  // namespace

expected<audit_file> audit_file::open(std::filesystem::path path, audit_file_bounds bounds) {
  audit_file made(std::move(path), bounds);
  if (const auto opened = made.open(); !opened) return opened.error();
  return made;
}

audit_file::~audit_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

audit_file::audit_file(audit_file&& other) noexcept
    : path_(std::move(other.path_)), bounds_(other.bounds_), descriptor_(std::exchange(other.descriptor_, -1)), bytes_(other.bytes_) {}

expected<bool> audit_file::open() {
  const auto failed = [this] {
    return failure{errc::io_failed, "audit.file: cannot write " + path_.string() + ": " + std::generic_category().message(errno),
                   "audit.file"};
  };
  // O_NONBLOCK: a pipe without a reader would hold us up before it is refused.
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, owner_only);
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) return failed();
  if (!S_ISREG(status.st_mode)) return failure{errc::invalid_request, "audit.file: " + path_.string() + " is not a file", "audit.file"};
  if ((status.st_mode & 0777) != owner_only && ::fchmod(descriptor_, owner_only) != 0) return failed();
  bytes_ = static_cast<std::uint64_t>(status.st_size);
  return true;
}

void audit_file::rotate() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  const auto numbered = [this](std::uint32_t number) { return path_.string() + "." + std::to_string(number); };
  std::error_code missing;
  for (auto number = bounds_.files_max; number > 1; --number) std::filesystem::rename(numbered(number - 1), numbered(number), missing);
  std::error_code problem;
  std::filesystem::rename(path_, numbered(1), problem);
  if (problem) std::filesystem::resize_file(path_, 0, problem);  // better to lose old lines than to grow without bound
  static_cast<void>(open());
}

bool audit_file::write(std::string_view line) {
  if (descriptor_ < 0)
    static_cast<void>(open());
  else if (bytes_ != 0 && bytes_ + line.size() > bounds_.bytes_max)
    rotate();
  if (descriptor_ < 0) return false;
  for (auto rest = line; !rest.empty();) {
    const auto written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Half a line would spoil the one behind it.
      static_cast<void>(::ftruncate(descriptor_, static_cast<off_t>(bytes_)));
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  bytes_ += line.size();
  return true;
}

}  // namespace troupe::gateway
