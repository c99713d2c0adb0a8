#include "engine/core/retention/retention_policy.hpp"

#include "engine/core/retention/belady.hpp"
#include "engine/core/retention/lifecycle.hpp"
#include "engine/core/retention/recency.hpp"

namespace troupe::core {

std::vector<std::string_view> retention_policy_names() { return {"lru", "priority", "lifecycle", "belady"}; }

std::unique_ptr<retention_policy> make_retention_policy(std::string_view name, const retention_options& options) {
  using order = recency_policy::order;
  if (name == "lru") return std::make_unique<recency_policy>(options, order::use);
  if (name == "priority") return std::make_unique<recency_policy>(options, order::rank_then_use);
  if (name == "lifecycle") return std::make_unique<lifecycle_policy>(options);
  if (name == "belady") return std::make_unique<belady_policy>(options.future);
  return nullptr;
}

}  // namespace troupe::core
