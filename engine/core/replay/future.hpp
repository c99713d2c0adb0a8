// What only a replay knows: when each block of each request is used next.
#pragma once

#include <vector>

#include "engine/core/replay/scenario.hpp"
#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core::replay {

/// Per request of the scenario its runs, from the deepest to the shallowest; blocks that are never used again are in none.
std::vector<std::vector<use_run>> future_uses(const recorded_trace& trace, const scenario& played);

}  // namespace troupe::core::replay
