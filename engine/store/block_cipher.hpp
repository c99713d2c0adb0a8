// AES-256-GCM for stored blocks, as XAES-256-GCM (C2SP): the first half of a random 192-bit nonce derives a key of its own per record,
// the second half is that key's GCM nonce. With plain GCM a shared key would be worn out after 2^32 random nonces, which a fast disk
// writes in weeks; here it is 2^80. Not for several threads at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "messages/base/errc.hpp"

namespace troupe::store {

class block_cipher {
 public:
  static constexpr std::size_t key_bytes = 32, nonce_bytes = 24, tag_bytes = 16;
  using key = std::array<unsigned char, key_bytes>;
  using nonce = std::array<unsigned char, nonce_bytes>;
  using tag = std::array<unsigned char, tag_bytes>;

  /// Reads a file of exactly 32 bytes that only its owner may read. Failures: io_failed, corrupt_data (size), invalid_request (mode).
  static expected<std::shared_ptr<block_cipher>> from_file(const std::filesystem::path& file);
  explicit block_cipher(const key& secret);
  ~block_cipher();
  block_cipher(const block_cipher&) = delete;
  block_cipher& operator=(const block_cipher&) = delete;

  /// Tells two keys apart without saying anything else about them; never 0.
  [[nodiscard]] std::uint64_t key_id() const noexcept;

  /// One part of a message; `to` has the size of `from` and may be the same memory.
  struct part {
    std::span<const std::byte> from;
    std::span<std::byte> to;
  };
  static nonce draw_nonce();
  /// Encrypts the parts as one message. Throws when OpenSSL fails: there is no such state to recover from.
  tag seal(const nonce& nonce, std::span<const std::byte> authenticated, std::span<const part> parts);
  /// False when tag, nonce, authenticated bytes or parts are not those of one seal under this key; then `to` is zeroed.
  [[nodiscard]] bool open(const nonce& nonce, std::span<const std::byte> authenticated, std::span<const part> parts, const tag& tag);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::store
