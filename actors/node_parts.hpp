// Everything that a node's actors are made of, prepared before the first actor starts: models are loaded, keys read, sizes checked. What
// is wrong with a config or a model folder is known here, with its config path, and the process can end with one clear sentence.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/behaviour_registry.hpp"
#include "actors/config.hpp"
#include "actors/node_tier_setups.hpp"
#include "actors/model_registry.hpp"
#include "actors/session_directory.hpp"
#include "actors/template_renderer.hpp"
#include "actors/trace.hpp"
#include "actors/worker.hpp"

namespace troupe::actors {

struct node_parts {
  std::shared_ptr<const model_registry> models;
  std::vector<worker_setup> workers;
  node_tier_setups tiers;
  template_renderer_setup renderer;
  router_setup router;
  router_factory make_router;
  trace_setup trace;
  session_directory_setup directory;                                           ///< without services
  enum class threads : std::uint8_t { own, shared } placement = threads::own;  ///< shared: all on the scheduler, as tests do
};

/// Reads clocks and files, starts no actor. Failures: what the models', the journal's and the key file's loaders fail with;
/// invalid_request, `param` is the config path.
expected<node_parts> prepare_node(const config& settings);

}  // namespace troupe::actors
