// Keeps the node's records: one JSON line per turn and per lifecycle verb, and the counters that are made from them.
// It writes files, so a node spawns it detached. Losing a line never loses a request: write errors are logged once and counted.
#pragma once

#include <caf/stateful_actor.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "actors/trace_file.hpp"
#include "actors/trace_metrics.hpp"
#include "messages/base/limits.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

struct trace_setup {
  std::string path;  ///< empty: no file, metrics only
  std::size_t file_bytes_max = limits::trace_file_bytes_max;
  std::vector<model_id> models;  ///< label values; turns of any other model are counted under "other"
};

struct trace_state {
  static inline const char* name = "trace";
  std::unique_ptr<trace_file> file;
  std::unique_ptr<trace_metrics> metrics;
};

trace_actor::behavior_type trace(trace_actor::stateful_pointer<trace_state> self, trace_setup setup);

}  // namespace troupe::actors
