// Block identity: hash(i) = XXH3-128(hash(i-1), tokens of block i) under a secret seed. The seed separates models,
// adapters, tenants and cache salts, so equal tokens of two tenants never meet in a pool or an index.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::core {

/// A block as the prefix index names it: `symbol` hashes the block's own tokens, `hash` the chain up to it.
struct block_identity {
  block_hash hash;
  std::uint64_t symbol = 0;
  bool operator==(const block_identity&) const = default;
};

/// What must agree before two sequences may share a block.
struct hash_scope {
  std::uint64_t secret = 0;       ///< of the key file
  std::uint64_t fingerprint = 0;  ///< of the model: config, weight headers, sampled content
  std::string_view adapter;
  std::string_view tenant;
  std::string_view cache_salt;
};

class block_hasher {
 public:
  /// `block_tokens` in [1, 4096].
  block_hasher(const hash_scope& scope, std::uint32_t block_tokens);
  /// The same hasher elsewhere: `seed` is another's seed().
  block_hasher(std::uint64_t seed, std::uint32_t block_tokens);

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

  /// The parent of every first block: depends on the scope only. Its `low` is 0 and no block's is: that is how the pool and the
  /// prefix index (parent 0) tell that a block starts a sequence.
  [[nodiscard]] block_hash root() const noexcept { return root_; }
  [[nodiscard]] std::uint32_t block_tokens() const noexcept { return block_tokens_; }
  /// `tokens` holds exactly block_tokens entries.
  [[nodiscard]] block_identity next(block_hash parent, std::span<const token_id> tokens) const noexcept;
  /// Appends the identities of all full blocks of `tokens` beyond those that `chain` already holds.
  void extend(std::vector<block_identity>& chain, std::span<const token_id> tokens) const;

 private:
  std::uint64_t seed_;
  std::uint32_t block_tokens_;
  block_hash root_;
};

}  // namespace troupe::core
