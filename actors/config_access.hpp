// The sections of the config about who is let in: tenants, and the keys by which they are known.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "messages/base/limits.hpp"

namespace troupe::actors {

/// Whose sessions and cached blocks are apart from everybody else's, and what they may use.
struct tenant_config {
  std::string name;
  std::uint32_t concurrency_max = 0;  ///< turns at once; 0: no bound
  std::uint64_t tokens_per_min = 0;   ///< computed and generated, those from cache are free; 0: no bound
  double cache_share_max = 1;         ///< of the blocks of each device and of host memory, while others need the room; 1: no bound
  bool operator==(const tenant_config&) const = default;
};

struct key_config {
  std::string name;  ///< for logs; unique
  /// SHA-256 of the key, lower-case hex. A slow hash would protect nothing: keys are drawn with 256 bits (`troupe key`), nobody guesses one
  /// whatever a guess costs, and each request would pay for it.
  std::string hash;
  std::string tenant = "default";
  bool admin = false;                                      ///< sees and ends sessions of every tenant, reads /health and /metrics
  std::uint32_t hint_priority_max = 0;                     ///< hints of its requests are clipped to these; 0: it goes before nobody else
  std::uint32_t retain_weight_max = 100;
  std::uint32_t retain_ttl_ms_max = std::chrono::milliseconds(limits::wish_ttl_max).count();
  std::string deepest_tier = "remote";  ///< device, host, disk, remote
  bool operator==(const key_config&) const = default;
};

}  // namespace troupe::actors
