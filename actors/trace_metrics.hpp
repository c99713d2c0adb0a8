// Counters and histograms made from the records of turns and verbs. Every label value comes from a closed set, so that no client
// can make this grow: an unknown model, ending, verb or outcome is counted as "other".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/service.hpp"

namespace troupe::actors {

class trace_metrics {
 public:
  explicit trace_metrics(const std::vector<model_id>& models);
  ~trace_metrics();

  void count(const turn_record& record);
  void count(const lifecycle_record& record);
  void count(const pause_record& record);
  /// Prometheus text format. `lines_lost`: of the trace file.
  [[nodiscard]] std::string text(std::uint64_t lines_lost) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::actors
