#include "engine/core/tenant_shares.hpp"

#include <algorithm>

namespace troupe::core {

bool has_bounds(std::span<const tenant_share> shares) {
  return std::ranges::any_of(shares, [](const tenant_share& each) { return each.share_max < 1; });
}

tenant_shares::tenant_shares(std::uint32_t block_count, std::span<const tenant_share> shares) : blocks_(shares.size()) {
  for (const auto& each : shares) names_.push_back(each.name);
  if (!has_bounds(shares)) return;
  for (const auto& each : shares) bounds_.push_back(static_cast<std::uint32_t>(block_count * std::clamp(each.share_max, 0.0, 1.0)));
  for (tenant_index tenant = 0; tenant < bounds_.size(); ++tenant) place(tenant);
}

bool tenant_shares::is_consistent() const {
  if (room_.size() != bounds_.size()) return false;
  for (std::uint32_t tenant = 0; tenant < bounds_.size(); ++tenant)
    if (!room_.contains(tenant) || room_.key(tenant) != std::int64_t{bounds_[tenant]} - blocks_[tenant]) return false;
  return true;
}

}  // namespace troupe::core
