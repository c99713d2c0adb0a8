// XXH3-128 over (parent hash, tokens), little endian as in memory: nodes of one cluster share their byte order.
#include "engine/core/block_hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

namespace troupe::core {

namespace {

constexpr std::uint32_t block_tokens_max = 4096;

void append(std::string& bytes, std::string_view field) {
  const auto size = static_cast<std::uint64_t>(field.size());  // length first: ("ab", "c") and ("a", "bc") must differ
  bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
  bytes.append(field);
}

std::uint64_t seed_of(const hash_scope& scope) {
  std::string bytes(reinterpret_cast<const char*>(&scope.fingerprint), sizeof scope.fingerprint);
  append(bytes, scope.adapter);
  append(bytes, scope.tenant);
  append(bytes, scope.cache_salt);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), scope.secret);
}

}  // namespace

block_hasher::block_hasher(const hash_scope& scope, std::uint32_t block_tokens) : block_hasher(seed_of(scope), block_tokens) {}

block_hasher::block_hasher(std::uint64_t seed, std::uint32_t block_tokens) : seed_(seed), block_tokens_(block_tokens) {
  if (block_tokens == 0 || block_tokens > block_tokens_max) throw std::invalid_argument("block_tokens must lie in [1, 4096]");
  root_ = {0, XXH3_64bits_withSeed("root", 4, seed)};
}

block_identity block_hasher::next(block_hash parent, std::span<const token_id> tokens) const noexcept {
  std::array<unsigned char, sizeof(block_hash) + block_tokens_max * sizeof(token_id)> bytes;  // not cleared: hot path
  std::memcpy(bytes.data(), &parent.low, 8);
  std::memcpy(bytes.data() + 8, &parent.high, 8);
  std::memcpy(bytes.data() + 16, tokens.data(), tokens.size_bytes());
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), 16 + tokens.size_bytes(), seed_);
  const std::uint64_t low = hash.low64 == 0 ? 1 : hash.low64;  // 0 marks a root
  return {{low, hash.high64}, XXH3_64bits_withSeed(tokens.data(), tokens.size_bytes(), seed_)};
}

void block_hasher::extend(std::vector<block_identity>& chain, std::span<const token_id> tokens) const {
  const std::size_t full = tokens.size() / block_tokens_;
  for (std::size_t i = chain.size(); i < full; ++i) {
    const block_hash parent = i == 0 ? root_ : chain[i - 1].hash;
    chain.push_back(next(parent, tokens.subspan(i * block_tokens_, block_tokens_)));
  }
}

}  // namespace troupe::core
