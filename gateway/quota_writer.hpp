// Writes an answer as another writer does, and settles with the tenant's quotas what its turn has cost. The lease goes where the turn goes.
#pragma once

#include <memory>

#include "gateway/answer_writer.hpp"
#include "gateway/tenant_quotas.hpp"

namespace troupe::gateway {

std::unique_ptr<answer_writer> make_quota_writer(std::unique_ptr<answer_writer> inner, quota_lease lease);

}  // namespace troupe::gateway
