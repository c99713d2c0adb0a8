// A block on its way to or from a tier that outlives the process: what it is, who may load it, how long it is worth keeping. Its bytes
// travel beside it. Loaded under another layout, scope, parent or other tokens it is a miss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/core/block_hash.hpp"

namespace troupe::store {

/// Milliseconds since 1970. Every call takes the present as an argument; nothing here reads a clock to decide.
using unix_ms = std::int64_t;
/// Hash of (block_tokens, layers, kv heads, head_dim, dtype, scales, shard): the meaning of a payload's bytes.
using layout_id = strong_id<struct layout_tag, std::uint64_t>;
/// Whose blocks these are. Only scope_of makes one: the hasher's seed is a secret and never leaves the process.
using scope_id = strong_id<struct scope_tag, std::uint64_t>;
/// The caller's name for a put or get in flight.
using store_ticket = strong_id<struct store_ticket_tag, std::uint64_t>;

/// 64 bits of SHA-256 over the hasher's seed (which covers secret, model, adapter, tenant and salt). Microseconds: keep it.
scope_id scope_of(std::uint64_t hasher_seed);

/// What the block is worth, wherever it lies.
struct stored_retention {
  std::uint8_t role = 0;      ///< core::block_role by its number; another, of a later version, is stored as it is and read as unknown
  std::uint8_t priority = 0;  ///< 0..100
  unix_ms expires = 0;        ///< from then on it is a miss; 0: no expiry of its own
  bool operator==(const stored_retention&) const = default;
};

struct stored_block {
  core::block_identity block;
  block_hash parent;
  layout_id layout;
  scope_id scope;
  std::vector<token_id> tokens;
  stored_retention retention;  ///< not compared when the block is what a caller expects to load
  bool operator==(const stored_block&) const = default;
};

/// What must agree besides hash and layout, in 64 bits: the index compares it without reading the block. Never 0.
std::uint64_t identity_check(const stored_block& block);

/// What became of a put or get. `pending` alone means that a completion follows.
enum class store_result : std::uint8_t {
  pending,
  stored,
  present,  ///< put: an equal block is stored already, or is being written
  loaded,   ///< get: the destination holds the payload. After anything else its content is undefined
  missing,
  mismatched,    ///< get: that hash is stored under another layout, scope, parent, size or key, or with other tokens
  corrupt,       ///< get: the stored bytes are damaged; they were removed
  expired,       ///< put: its expiry has passed
  dropped,       ///< put: the block was dropped while it was written
  busy,          ///< a bound of what may be in flight is reached
  rate_limited,  ///< put: more bytes than the write rate admits
  too_large,     ///< put: empty, or longer than limits::stored_payload_bytes_max, its segment or the store's budget allow
  unavailable,   ///< the remote store is gone and is not asked for a while
  failed,        ///< an operating error or a deadline; counted
};
std::string_view name_of(store_result result);

struct store_completion {
  store_ticket ticket;
  store_result result = store_result::failed;
  stored_retention retention;  ///< of a loaded block
};

}  // namespace troupe::store
