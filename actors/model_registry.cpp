// Exact names win over patterns of every model, so that a pattern such as gpt-* cannot hide a served gpt-x.
#include "actors/model_registry.hpp"

#include <algorithm>

#include "actors/config.hpp"

namespace troupe::actors {

model_registry::model_pointer model_registry::resolve(std::string_view name) const {
  if (name.empty()) return models_.empty() ? nullptr : models_.front();
  for (const auto& model : models_)
    if (model->id.value == name) return model;
  for (const auto& model : models_) {
    const auto matches = [&](const std::string& alias) { return matches_alias(alias, name); };
    if (std::any_of(model->aliases.begin(), model->aliases.end(), matches)) return model;
  }
  return nullptr;
}

}  // namespace troupe::actors
