// Writes an answer as another writer does, and tells the audit log of its turn. The entry goes where the turn goes.
#pragma once

#include <memory>

#include "gateway/answer_writer.hpp"
#include "gateway/audit_log.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

/// The result as it is, its turn told to `entry` if it is one. `entry` may be null.
route_result audited(route_result result, const std::shared_ptr<audit_entry>& entry);

}  // namespace troupe::gateway
