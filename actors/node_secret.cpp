// The new key is written aside and linked into place: two nodes that start at once on one folder agree on whichever came first.
#include "actors/node_secret.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::actors {
namespace {

using key_bytes = std::array<unsigned char, 32>;

failure io_failure(const std::string& what, const std::filesystem::path& file) {
  return {errc::io_failed, "cannot " + what + " " + file.string() + ": " + std::strerror(errno), {}};
}

expected<bool> make_key(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);  // opening tells whether it worked
  key_bytes key{};
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) return io_failure("draw a key for", file);
  const auto aside = file.string() + "." + std::to_string(::getpid());
  const int descriptor = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return io_failure("create", aside);
  const bool written = ::write(descriptor, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && ::fsync(descriptor) == 0;
  ::close(descriptor);
  const bool linked = written && (::link(aside.c_str(), file.c_str()) == 0 || errno == EEXIST);
  const auto result = linked ? expected<bool>{true} : expected<bool>{io_failure("write", file)};
  ::unlink(aside.c_str());
  return result;
}

}  // namespace

expected<std::uint64_t> cache_secret(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    if (auto made = make_key(file); !made) return made.error();
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return io_failure("read", file);
  key_bytes key{};
  const auto count = ::read(descriptor, key.data(), key.size());
  ::close(descriptor);
  if (count != static_cast<ssize_t>(key.size())) return failure{errc::corrupt_data, file.string() + " holds no key of 32 bytes", {}};
  return std::uint64_t{XXH3_64bits(key.data(), key.size())};
}

}  // namespace troupe::actors
