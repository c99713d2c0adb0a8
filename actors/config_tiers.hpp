// The sections of the config about tiers below the devices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace troupe::actors {

struct host_tier_config {
  std::uint64_t bytes = std::uint64_t{1} << 30;  ///< of host memory per model, taken as it is used; 0: no such tier
  std::string offload = "auto";                  ///< a core::offload_rule; auto: on_eviction where no disk or Redis is below. Policies but lifecycle: write_through
  bool operator==(const host_tier_config&) const = default;
};

/// Which blocks leave a worker's pool and the host tier.
struct retention_config {
  std::string policy = "lifecycle";  ///< a name of core::make_retention_policy
  double pinned_share_max = 0.5;     ///< of the blocks of a device, host memory or disk
  bool operator==(const retention_config&) const = default;
};

struct disk_tier_config {
  std::uint64_t bytes = 0;           ///< of segment files per model; 0: no such tier
  std::filesystem::path folder;      ///< empty: data_dir/disk
  std::uint64_t write_bytes_per_s = 100'000'000;  ///< 0: no bound
  std::uint32_t ttl_s = 7 * 24 * 3600;            ///< 0: none
  std::filesystem::path key_file;    ///< 32 bytes, mode 0600; empty: not encrypted
  bool operator==(const disk_tier_config&) const = default;
};

struct remote_tier_config {
  std::string address;               ///< host:port or the path of a socket; empty: no such tier
  std::string user, password;
  std::uint32_t wait_ms = 250;       ///< for a batch of blocks, connecting included
  std::uint32_t ttl_s = 7 * 24 * 3600;
  std::filesystem::path key_file;
  bool operator==(const remote_tier_config&) const = default;
};

}  // namespace troupe::actors
