// Which sessions a full directory forgets for one more.
#pragma once

#include <string_view>
#include <vector>

#include "actors/session_table.hpp"

namespace troupe::actors {

/// What makes room for a session of `tenant`: sessions without children, those of the tenant that has most first (engine/core/fair_shares),
/// of each the longest dormant ones, up to an eighth of `sessions_max` together. Of a tenant that has more than `tenant` also those that
/// are awake but run nothing, behind its dormant ones and a hundredth of `sessions_max` at most: to hold on to all places is no way to keep them.
std::vector<session_id> sessions_to_forget(const session_table& table, std::string_view tenant, std::size_t sessions_max);

}  // namespace troupe::actors
