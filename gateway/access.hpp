// Who may come in. A request shows its key as `Authorization: Bearer` or as `x-api-key`; it is checked when the header is complete, so
// that no body of a stranger is kept. Without configured keys everybody who reaches the (loopback) address is the admin of tenant
// `default`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/caller.hpp"
#include "gateway/http_message.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// What a path asks of whoever comes.
enum class access_need : std::uint8_t { nothing, key, admin };

/// SHA-256: keys have 256 random bits, so nothing slower would protect them better.
using key_hash = std::array<std::uint8_t, 32>;
key_hash hash_of_key(std::string_view key);
/// Of 64 hexadecimal digits.
std::optional<key_hash> read_key_hash(std::string_view hex);

struct access_key {
  key_hash hash{};
  caller who;
};

class key_ring {
 public:
  key_ring() = default;
  explicit key_ring(std::vector<access_key> keys) : keys_(std::move(keys)) {}
  [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
  /// Null: none of ours. All are compared, each in full, so that the time tells nothing about them.
  [[nodiscard]] const caller* find(std::string_view key) const;

 private:
  std::vector<access_key> keys_;
};

/// Whose request it is. With both headers either key is enough; of two that are known the Bearer's counts. Failures: unauthenticated,
/// permission_denied. Where nothing is needed a stranger is a caller of no tenant and without rights.
expected<caller> admit(const http_request& head, access_need need, const key_ring& keys);

}  // namespace troupe::gateway
