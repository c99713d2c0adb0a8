// On whose behalf a request comes and what it may ask for: known once its key is checked, before anything of its body is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "engine/core/retention/residency.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {

/// What hints of a caller are clipped to.
struct hint_policy {
  std::int32_t priority_max = limits::priority_max;  ///< upwards
  std::int32_t weight_max = 100;                     ///< of what is to be retained, 0 to 100
  std::chrono::milliseconds ttl_max = limits::wish_ttl_max;
  core::tier_level deepest_tier = core::tier_level::remote;
  bool operator==(const hint_policy&) const = default;
};

struct caller {
  std::string tenant = "default";  ///< scopes sessions, stored responses and cached blocks
  std::string key_name;            ///< as in the config, for the log; empty without keys
  bool is_admin = true;            ///< may see and end sessions of every tenant, and send kv_hints; without keys, whoever reaches a loopback address
  hint_policy hints;
  bool operator==(const caller&) const = default;
};

}  // namespace troupe::gateway
