// A model as backends share it: immutable, loaded once per process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "engine/core/model/model_config.hpp"
#include "engine/core/model/weights.hpp"

namespace troupe::core {

struct model {
  model_config config;
  generation_defaults generation;
  core::weights weights;
  std::uint64_t fingerprint = 0;

  /// What ends an answer: generation_config's list where it has one, else config's, as `transformers` generates.
  [[nodiscard]] const std::vector<token_id>& end_tokens() const noexcept { return generation.eos.empty() ? config.eos : generation.eos; }
};

/// Reads config.json, generation_config.json (may be absent) and the weights of `folder`. Without `type` the model computes in
/// what its checkpoint stores (F16 in f32). Failures: io_failed, corrupt_data, unsupported_parameter.
expected<std::shared_ptr<const model>> load_model(const std::filesystem::path& folder, std::optional<numeric_type> type = std::nullopt);

}  // namespace troupe::core
