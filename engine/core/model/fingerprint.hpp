// Names a model by content, so that blocks of two checkpoints never meet: a fine-tune with the same config and tensor shapes has
// another fingerprint. The weights are sampled, not read whole: gigabytes would be read at every start.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/core/model/safetensors.hpp"

namespace troupe::core {

/// XXH3-64 of the config's text, every weight header, and evenly spaced samples of each tensor.
std::uint64_t fingerprint(std::string_view config_text, const safetensors& tensors);

}  // namespace troupe::core
