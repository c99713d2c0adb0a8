// From what a request asks of the sampler to what the worker is told: request, then generation_config, then the neutral value.
#pragma once

#include "actors/served_model.hpp"
#include "engine/core/sampling.hpp"
#include "messages/turn.hpp"

namespace troupe::actors {

/// Without a seed in the wish, one is drawn from a generator seeded by `id`: the same turn, repeated elsewhere, draws the same.
/// Fails with invalid_request, naming the field, for a value out of range.
expected<core::sampling_params> resolve_sampling(const sampling_wish& wish, const generation_defaults& defaults, request_id id);

/// Splitmix64: the `index`-th number of the generator seeded by `id`.
std::uint64_t number_of(request_id id, std::uint64_t index) noexcept;

}  // namespace troupe::actors
