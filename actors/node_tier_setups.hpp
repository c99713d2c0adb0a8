// The tiers below a node's devices, prepared before the first actor: sizes fit, keys are read.
#pragma once

#include <vector>

#include "actors/config.hpp"
#include "actors/disk_tier.hpp"
#include "actors/host_tier.hpp"
#include "actors/model_registry.hpp"
#include "actors/remote_tier.hpp"
#include "actors/worker.hpp"

namespace troupe::actors {

/// At most one of each per model.
struct node_tier_setups {
  std::vector<host_tier_setup> hosts;
  std::vector<disk_tier_setup> disks;
  std::vector<remote_tier_setup> remotes;
};

/// Numbers the tiers behind the workers. Failures: invalid_request with the config path (workers of one model that cannot share, an address,
/// a disk budget too small), and those of reading a key file.
expected<node_tier_setups> make_tier_setups(const config& settings, const std::vector<worker_setup>& workers, const model_registry& models,
                                            std::int64_t unix_offset_ms);

}  // namespace troupe::actors
