#include "engine/core/model/model.hpp"

#include "engine/core/model/fingerprint.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {

expected<std::shared_ptr<const model>> load_model(const std::filesystem::path& folder, std::optional<numeric_type> type) {
  auto loaded = std::make_shared<model>();
  const auto text = read_text_file(folder / "config.json", limits::model_json_bytes_max);
  if (!text) return text.error();
  auto config = parse_model_config(*text);
  if (!config) return config.error();
  loaded->config = std::move(*config);

  std::error_code ignored;
  if (const auto file = folder / "generation_config.json"; std::filesystem::exists(file, ignored)) {
    const auto generation_text = read_text_file(file, limits::model_json_bytes_max);
    if (!generation_text) return generation_text.error();
    auto generation = parse_generation_defaults(*generation_text, loaded->config.vocabulary);
    if (!generation) return generation.error();
    loaded->generation = std::move(*generation);
  }

  const auto tensors = safetensors::open(folder);
  if (!tensors) return tensors.error();
  auto weights = load_weights(loaded->config, *tensors, type.value_or(checkpoint_type(loaded->config, *tensors)));
  if (!weights) return weights.error();
  loaded->weights = std::move(*weights);
  loaded->fingerprint = fingerprint(*text, *tensors);
  return std::shared_ptr<const model>(std::move(loaded));
}

}  // namespace troupe::core
