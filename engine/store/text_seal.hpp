// Text that a client carries for us and cannot read or change: encrypted and authenticated under a key of this node, and of use only to
// whom it was bound. All members may be called from any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/block_cipher.hpp"

namespace troupe::store {

class text_seal {
 public:
  /// Its key is derived from the secret in `file`, the node's key file, and is of no use for anything else. Failures: io_failed,
  /// corrupt_data (shorter than a key).
  static expected<std::shared_ptr<text_seal>> from_file(const std::filesystem::path& file);
  explicit text_seal(const block_cipher::key& secret);

  /// Base64 of: version 1, nonce, tag, encrypted text.
  [[nodiscard]] std::string seal(std::string_view text, std::string_view bound_to);
  /// nullopt: broken, of another key or version, or bound to somebody else.
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed, std::string_view bound_to);

 private:
  std::mutex mutex_;  // a cipher is for one thread at a time
  block_cipher cipher_;
};

}  // namespace troupe::store
