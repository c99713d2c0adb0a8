// The tenants of a config by number. Numbers travel with turns, so nodes that serve each other need the same tenants in the same order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/config.hpp"
#include "engine/core/tenant_shares.hpp"

namespace troupe::actors {

/// By tenant_index: `default` first, whether the config names it or not, then the others in its order. None for a config without tenants.
std::vector<core::tenant_share> tenant_shares_of(const config& settings);

/// Of a tenant that is not among the names, 0: it counts as `default`.
tenant_index tenant_index_of(const std::vector<std::string>& names, std::string_view tenant);

}  // namespace troupe::actors
