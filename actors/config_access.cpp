// What must hold among tenants and keys: each key names a tenant that there is, and no two are the same key.
#include <algorithm>
#include <string_view>

#include "actors/config_fields.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::actors::detail {
namespace {

constexpr std::size_t hash_letters = 64;

std::string path_of(std::string_view section, std::size_t index, std::string_view key) {
  return std::string(section) + "[" + std::to_string(index) + "]." + std::string(key);
}

bool is_hash(std::string_view text) {
  const auto is_hex = [](char letter) { return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'); };
  return text.size() == hash_letters && std::all_of(text.begin(), text.end(), is_hex);
}

failure check_tenant(const config& value, std::size_t index) {
  const auto& tenants = value.tenants;
  const auto& name = tenants[index].name;
  const auto key = path_of("tenant", index, "name");
  if (const auto why = check_tenant_name(name); !why.empty()) return config_failure(key, "\"" + name + "\" " + why);
  for (std::size_t i = 0; i < index; ++i)
    if (tenants[i].name == name) return config_failure(key, "\"" + name + "\" is the name of tenant[" + std::to_string(i) + "] too");
  return {errc::none, {}, {}};
}

/// No problem tells a key's hash.
failure check_key(const config& value, std::size_t index) {
  const auto& key = value.keys[index];
  if (key.name.empty()) return config_failure(path_of("key", index, "name"), "is needed");
  if (!is_hash(key.hash))
    return config_failure(path_of("key", index, "hash"), "must be the SHA-256 of the key as 64 lower-case hexadecimal digits");
  const auto is_its = [&key](const tenant_config& tenant) { return tenant.name == key.tenant; };
  if (key.tenant != default_tenant && std::none_of(value.tenants.begin(), value.tenants.end(), is_its))
    return config_failure(path_of("key", index, "tenant"), "\"" + key.tenant + "\" is not the name of a [[tenant]]");
  for (std::size_t i = 0; i < index; ++i) {
    const auto other = "key[" + std::to_string(i) + "]";
    if (value.keys[i].name == key.name)
      return config_failure(path_of("key", index, "name"), "\"" + key.name + "\" is the name of " + other + " too");
    if (value.keys[i].hash == key.hash) return config_failure(path_of("key", index, "hash"), "is the hash of " + other + " too");
  }
  return {errc::none, {}, {}};
}

}  // namespace

failure check_access(const config& value) {
  failure problem{errc::none, {}, {}};
  for (std::size_t i = 0; i < value.tenants.size() && problem.code == errc::none; ++i) problem = check_tenant(value, i);
  for (std::size_t i = 0; i < value.keys.size() && problem.code == errc::none; ++i) problem = check_key(value, i);
  return problem;
}

}  // namespace troupe::actors::detail
