#include "actors/tenant_table.hpp"

#include <algorithm>

#include "messages/base/session_scope.hpp"

namespace troupe::actors {

std::vector<core::tenant_share> tenant_shares_of(const config& settings) {
  std::vector<core::tenant_share> shares;
  if (settings.tenants.empty()) return shares;
  shares.push_back({std::string{default_tenant}, 1});
  for (const auto& each : settings.tenants) {
    if (each.name == default_tenant)
      shares.front().share_max = each.cache_share_max;
    else
      shares.push_back({each.name, each.cache_share_max});
  }
  return shares;
}

tenant_index tenant_index_of(const std::vector<std::string>& names, std::string_view tenant) {
  const auto found = std::ranges::find(names, tenant);
  const auto at = found - names.begin();
  return found == names.end() || at > UINT16_MAX ? tenant_index{0} : static_cast<tenant_index>(at);
}

}  // namespace troupe::actors
