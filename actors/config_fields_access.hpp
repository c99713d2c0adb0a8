// The fields of the sections about tenants and keys. Internal to config*.cpp, as config_fields.hpp is.
#pragma once

#include "actors/config_fields_tiers.hpp"

namespace troupe::actors::detail {

template <class Visitor, class Section>
void tenant_fields(Visitor& visit, Section& tenant) {
  visit("name", tenant.name, any_text{});
  visit("concurrency_max", tenant.concurrency_max, within{0, 1 << 20, "turns"});
  visit("tokens_per_min", tenant.tokens_per_min, within{0, bytes_max, "tokens"});
  visit("cache_share_max", tenant.cache_share_max, within{0, 1, "share of the blocks"});
}

template <class Visitor, class Section>
void key_fields(Visitor& visit, Section& key) {
  visit("name", key.name, any_text{});
  visit("hash", key.hash, any_text{});
  visit("tenant", key.tenant, any_text{});
  visit("admin", key.admin);
  visit("hint_priority_max", key.hint_priority_max, within{0, 100, "priority"});
  visit("retain_weight_max", key.retain_weight_max, within{0, 100, "weight"});
  visit("retain_ttl_ms_max", key.retain_ttl_ms_max, within{0, hour_ms, "milliseconds"});
  visit("deepest_tier", key.deepest_tier, one_of{{"device", "host", "disk", "remote"}});
}

}  // namespace troupe::actors::detail
