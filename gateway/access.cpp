#include "gateway/access.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <stdexcept>

namespace troupe::gateway {
namespace {

static_assert(sizeof(key_hash) == SHA256_DIGEST_LENGTH);

std::string_view bearer_of(const http_request& head) {
  constexpr std::string_view scheme = "bearer ";
  auto value = head.field("authorization");
  if (value.size() < scheme.size() || !equals_ignoring_case(value.substr(0, scheme.size()), scheme)) return {};
  value.remove_prefix(scheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  return value;
}

int digit_of(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return -1;
}

const caller* find_caller(const http_request& head, const key_ring& keys) {
  const auto bearer = bearer_of(head);
  const auto plain = head.field("x-api-key");
  const auto* known = bearer.empty() ? nullptr : keys.find(bearer);
  return known == nullptr && !plain.empty() ? keys.find(plain) : known;
}

}  // namespace

key_hash hash_of_key(std::string_view key) {
  key_hash hash;
  if (SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash.data()) == nullptr)
    throw std::runtime_error("SHA-256 failed");
  return hash;
}

std::optional<key_hash> read_key_hash(std::string_view hex) {
  key_hash hash;
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return hash;
}

const caller* key_ring::find(std::string_view key) const {
  const auto hash = hash_of_key(key);
  const caller* found = nullptr;
  for (const auto& known : keys_)
    if (CRYPTO_memcmp(known.hash.data(), hash.data(), hash.size()) == 0) found = &known.who;
  return found;
}

expected<caller> admit(const http_request& head, access_need need, const key_ring& keys) {
  if (keys.empty()) return caller{};
  const auto* who = find_caller(head, keys);
  if (who == nullptr && need == access_need::nothing) {
    caller stranger;
    stranger.tenant.clear();
    stranger.is_admin = false;
    return stranger;
  }
  if (who == nullptr)
    return failure{
        errc::unauthenticated, "a key is needed, as 'Authorization: Bearer' or as 'x-api-key': there is none, or it is not known", {}};
  if (need == access_need::admin && !who->is_admin) return failure{errc::permission_denied, "this path takes an admin key", {}};
  return *who;
}

}  // namespace troupe::gateway
