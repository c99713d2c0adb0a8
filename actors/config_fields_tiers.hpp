// The kinds of fields, and those of the sections about tiers. Internal to config*.cpp, as config_fields.hpp is.
#pragma once

#include <initializer_list>
#include <string_view>

namespace troupe::actors::detail {

/// A number between two bounds, both allowed.
struct within {
  double min = 0, max = 0;
  std::string_view unit;
};
/// A text from a short list.
struct one_of {
  std::initializer_list<std::string_view> names;
};
/// Any text that is not empty.
struct any_text {};
/// May be left out or empty.
struct optional_text {};

// 2^53: numbers above it are not exact in every reader of TOML or JSON.
inline constexpr double bytes_max = 9007199254740992.0;
inline constexpr double day_s = 86'400;
inline constexpr double hour_ms = 3'600'000;

template <class Visitor, class Section>
void retention_fields(Visitor& visit, Section& retention) {
  visit("policy", retention.policy, one_of{{"lru", "priority", "lifecycle"}});
  visit("pinned_share_max", retention.pinned_share_max, within{0, 0.9, "share of the blocks"});
}

template <class Visitor, class Section>
void host_tier_fields(Visitor& visit, Section& tier) {
  visit("bytes", tier.bytes, within{0, bytes_max, "bytes"});
  visit("offload", tier.offload, one_of{{"auto", "write_through", "on_eviction"}});
}

template <class Visitor, class Section>
void disk_tier_fields(Visitor& visit, Section& tier) {
  visit("bytes", tier.bytes, within{0, bytes_max, "bytes"});
  visit("folder", tier.folder);
  visit("write_bytes_per_s", tier.write_bytes_per_s, within{0, bytes_max, "bytes per second"});
  visit("ttl_s", tier.ttl_s, within{0, 365 * day_s, "seconds"});
  visit("key_file", tier.key_file);
}

template <class Visitor, class Section>
void remote_tier_fields(Visitor& visit, Section& tier) {
  visit("address", tier.address, optional_text{});
  visit("user", tier.user, optional_text{});
  visit("password", tier.password, optional_text{});
  visit("wait_ms", tier.wait_ms, within{1, 5000, "milliseconds"});
  visit("ttl_s", tier.ttl_s, within{1, 365 * day_s, "seconds"});
  visit("key_file", tier.key_file);
}

}  // namespace troupe::actors::detail
