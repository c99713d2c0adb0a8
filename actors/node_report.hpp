// What a node says of itself: questions to its workers and its directory, gathered into one answer. Whoever does not answer in time is
// left out, so a busy worker never makes a health check hang.
#pragma once

#include <functional>

#include "actors/node.hpp"

namespace troupe::actors {

struct node_report {
  std::vector<worker_status> workers;  ///< by worker id
  std::vector<tier_status> tiers;
  directory_counts directory;
};
void gather_report(node_pointer self, std::function<void(const node_report&)> done);

caf::result<node_status> report_status(node_pointer self);
caf::result<metrics_text> report_metrics(node_pointer self);

}  // namespace troupe::actors
