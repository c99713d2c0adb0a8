// What the config says of tenants and keys, as the gateway takes it.
#pragma once

#include <vector>

#include "actors/config.hpp"
#include "gateway/access.hpp"
#include "gateway/tenant_quotas.hpp"

namespace troupe::gateway {

key_ring keys_of(const actors::config& config);
/// With keys the tenant `default` is counted too, bounded or not.
std::vector<tenant_limits> tenants_of(const actors::config& config);

}  // namespace troupe::gateway
