// From a [[worker]] of the config to what its actor needs: sizes, the scheduler's options, and how to make the device.
#pragma once

#include <memory>

#include "actors/config.hpp"
#include "actors/served_model.hpp"
#include "actors/worker.hpp"
#include "engine/core/cpu/compute_pool.hpp"
#include "engine/core/model/model.hpp"
#include "engine/core/timing_backend.hpp"

namespace troupe::actors {

/// What the backends of one process share. Factories keep it alive.
struct backend_commons {
  std::shared_ptr<core::compute_pool> compute;
  std::shared_ptr<core::timer> timer;  ///< of timing backends
};

/// Fails with invalid_request for a backend that does not exist here, or a pool smaller than one block.
/// `weights` may be null for the timing backend.
expected<worker_setup> make_worker_setup(const worker_config& config, worker_id id, const served_model& model,
                                         const std::shared_ptr<const core::model>& weights, const backend_commons& commons);

}  // namespace troupe::actors
