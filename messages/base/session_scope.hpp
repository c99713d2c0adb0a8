// Session ids are scoped by tenant: inside, the session `a` of tenant `acme` is "acme a", and that of tenant `default`, the only one
// without keys, is "a". What clients call a session holds no space, so nobody can name one of another tenant. The gateway scopes what comes
// in and shows it without; everything behind it (directory, journal, owners of blocks) sees scoped ids alone.
#pragma once

#include <string>
#include <string_view>

#include "messages/base/ids.hpp"

namespace troupe {

inline constexpr std::string_view default_tenant = "default";

/// "" or why `name` cannot name a tenant.
std::string check_tenant_name(std::string_view name);

/// An empty id, which names no session, stays empty.
session_id scoped_id(std::string_view tenant, const session_id& client_id);
std::string_view tenant_of(const session_id& scoped) noexcept;
/// As its client calls it.
std::string_view client_id_of(const session_id& scoped) noexcept;

}  // namespace troupe
