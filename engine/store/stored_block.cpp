#include "engine/store/stored_block.hpp"

#include <openssl/sha.h>

#include <array>
#include <cstring>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::store {

scope_id scope_of(std::uint64_t hasher_seed) {
  std::array<unsigned char, 24> text{"troupe scope"};  // 12 letters, 4 zeros, the seed
  std::memcpy(text.data() + 16, &hasher_seed, 8);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  if (SHA256(text.data(), text.size(), digest.data()) == nullptr) throw std::runtime_error("SHA-256 failed");
  scope_id scope;
  std::memcpy(&scope.value, digest.data(), 8);
  return scope;
}

std::uint64_t identity_check(const stored_block& block) {
  const std::array<std::uint64_t, 4> fields{block.parent.low, block.parent.high, block.block.symbol, block.scope.value};
  const auto seed = XXH3_64bits(fields.data(), sizeof fields);
  const auto check = XXH3_64bits_withSeed(block.tokens.data(), block.tokens.size() * sizeof(token_id), seed);
  return check == 0 ? 1 : check;
}

std::string_view name_of(store_result result) {
  static constexpr std::array<std::string_view, 14> names{"pending",      "stored",    "present",     "loaded",  "missing",
                                                          "mismatched",   "corrupt",   "expired",     "dropped", "busy",
                                                          "rate_limited", "too_large", "unavailable", "failed"};
  return names[static_cast<std::size_t>(result)];
}

}  // namespace troupe::store
