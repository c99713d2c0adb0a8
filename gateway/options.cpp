#include "gateway/options.hpp"

namespace troupe::gateway {

const gateway_model* gateway_options::find_model(std::string_view name) const {
  if (name.empty()) return models.empty() ? nullptr : &models.front();
  for (const auto& model : models)
    if (model.name.value == name) return &model;
  for (const auto& model : models)
    if (model.is_alias && model.is_alias(name)) return &model;
  return nullptr;
}

}  // namespace troupe::gateway
