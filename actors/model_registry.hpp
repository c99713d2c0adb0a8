// The served models by the names that clients use. The order of the config decides where two patterns match.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "actors/served_model.hpp"

namespace troupe::actors {

class model_registry {
 public:
  using model_pointer = std::shared_ptr<const served_model>;
  explicit model_registry(std::vector<model_pointer> models) : models_(std::move(models)) {}

  /// The model of that very name, else the first with an alias that matches, else null. An empty name is the first model.
  [[nodiscard]] model_pointer resolve(std::string_view name) const;
  /// In the order of the config.
  [[nodiscard]] const std::vector<model_pointer>& list() const noexcept { return models_; }

 private:
  std::vector<model_pointer> models_;
};

}  // namespace troupe::actors
