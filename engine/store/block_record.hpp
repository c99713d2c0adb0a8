// The stored form of one block, the same on disk and in the remote store: a front (prefix, Cap'n Proto header, tokens) and the payload.
// With a cipher, tokens and payload are encrypted as one message and the rest of the front is authenticated with them.
//
// Front, little-endian:
//   [0, 8)     "troupebk"              [8, 12)   version 1         [12, 16)  flags: bit 0 = encrypted
//   [16, 20)   header bytes H          [20, 24)  token bytes T     [24, 32)  payload bytes
//   [32, 48)   XXH3-128 of the payload as stored
//   [48, 72)   nonce                   [72, 88)  GCM tag           (zeros when not encrypted)
//   [88, 96)   XXH3-64 of [0, 88) and [96, end), seeded by the record's place: a front is intact only where it was written
//   [96, 96+H) StoredHeader            [96+H, 96+H+T) tokens, 4 bytes each
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/store/block_cipher.hpp"
#include "engine/store/stored_block.hpp"
#include "schema/stored.capnp.h"

namespace troupe::store {

inline constexpr std::size_t record_prefix_bytes = 96;
/// 8 KiB of header and the tokens of the largest block: what is longer is no front.
inline constexpr std::size_t record_front_bytes_max = record_prefix_bytes + (8 << 10) + 4 * 4096;

/// Seeds the front's checksum. `nowhere` is the place of a record in the remote store.
using record_place = strong_id<struct record_place_tag, std::uint64_t>;
inline constexpr record_place nowhere{0};

/// A front that was intact where it was read.
struct record_front {
  std::uint32_t header_bytes = 0, token_bytes = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t key_id = 0;  ///< 0: not encrypted
  stored_block block;        ///< without tokens while those are encrypted
  [[nodiscard]] std::size_t bytes() const { return record_prefix_bytes + header_bytes + token_bytes; }
};

/// The length of the front that begins with `prefix` (record_prefix_bytes of it), or nothing if none can begin so.
std::optional<std::size_t> front_length(std::span<const std::byte> prefix);
/// Nothing unless `bytes` are exactly one intact front at `place`.
std::optional<record_front> read_front(std::span<const std::byte> bytes, record_place place);
/// Makes an intact front intact at another place.
void move_front(std::span<std::byte> front, record_place to);
/// Whether `payload` is what the front was stored with.
bool is_payload_intact(std::span<const std::byte> front, std::span<const std::byte> payload);

void write_header(schema::StoredHeader::Builder to, const stored_block& block, std::uint64_t key_id);
/// Fills all but the tokens; returns the key id.
std::uint64_t read_header(schema::StoredHeader::Reader from, stored_block& block);

/// Makes records and opens them, with a cipher or without. With one, records that are not encrypted under its key are mismatches: who
/// can write to the store could else offer plain ones.
class record_codec {
 public:
  explicit record_codec(std::shared_ptr<block_cipher> cipher = {}) : cipher_(std::move(cipher)) {}
  [[nodiscard]] bool encrypts() const noexcept { return cipher_ != nullptr; }
  [[nodiscard]] std::uint64_t key_id() const { return cipher_ ? cipher_->key_id() : 0; }

  [[nodiscard]] static std::size_t front_bytes(const stored_block& block);
  /// The front of `block` at `place`. If it encrypts, the payload as stored is written to `encrypted`, which has the payload's size.
  std::vector<std::byte> seal(const stored_block& block, std::span<const std::byte> payload, std::span<std::byte> encrypted,
                              record_place place);
  /// Compares everything with `wanted` and leaves the payload in `destination` (of its size; may be the memory of `payload`). Returns
  /// loaded, mismatched or corrupt.
  store_result open(std::span<const std::byte> front, record_place place, std::span<const std::byte> payload, const stored_block& wanted,
                    std::span<std::byte> destination, stored_retention& retention);

 private:
  std::shared_ptr<block_cipher> cipher_;
};

}  // namespace troupe::store
