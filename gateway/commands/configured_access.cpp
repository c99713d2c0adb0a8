#include "gateway/commands/configured_access.hpp"

#include <algorithm>
#include <stdexcept>

#include "messages/base/session_scope.hpp"

namespace troupe::gateway {
namespace {

core::tier_level tier_of(std::string_view name) {
  if (name == "device") return core::tier_level::device;
  if (name == "host") return core::tier_level::host;
  return name == "disk" ? core::tier_level::disk : core::tier_level::remote;
}

caller caller_of(const actors::key_config& key) {
  caller who;
  who.tenant = key.tenant;
  who.key_name = key.name;
  who.is_admin = key.admin;
  who.hints.priority_max = static_cast<std::int32_t>(key.hint_priority_max);
  who.hints.weight_max = static_cast<std::int32_t>(key.retain_weight_max);
  who.hints.ttl_max = std::chrono::milliseconds(key.retain_ttl_ms_max);
  who.hints.deepest_tier = tier_of(key.deepest_tier);
  return who;
}

}  // namespace

key_ring keys_of(const actors::config& config) {
  std::vector<access_key> keys;
  for (const auto& key : config.keys) {
    const auto hash = read_key_hash(key.hash);
    // The config has refused it; a ring without it might let everybody in.
    if (!hash) throw std::invalid_argument("the hash of the key '" + key.name + "' cannot be read");
    keys.push_back({*hash, caller_of(key)});
  }
  return key_ring(std::move(keys));
}

std::vector<tenant_limits> tenants_of(const actors::config& config) {
  std::vector<tenant_limits> tenants;
  for (const auto& tenant : config.tenants) tenants.push_back({tenant.name, tenant.concurrency_max, tenant.tokens_per_min});
  const auto is_default = [](const tenant_limits& tenant) { return tenant.name == default_tenant; };
  if (!config.keys.empty() && std::none_of(tenants.begin(), tenants.end(), is_default)) tenants.push_back({std::string(default_tenant)});
  return tenants;
}

}  // namespace troupe::gateway
