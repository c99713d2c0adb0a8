#include "actors/trace.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"

namespace troupe::actors {

trace_actor::behavior_type trace(trace_actor::stateful_pointer<trace_state> self, trace_setup setup) {
  set_defaults(self, "trace");
  self->state.file = std::make_unique<trace_file>(setup.path, setup.file_bytes_max);
  self->state.metrics = std::make_unique<trace_metrics>(setup.models);
  return {
      [self](const turn_record& record) {
        if (self->state.file->is_wanted()) self->state.file->write(json_line(record));
        self->state.metrics->count(record);
      },
      [self](const lifecycle_record& record) {
        if (self->state.file->is_wanted()) self->state.file->write(json_line(record));
        self->state.metrics->count(record);
      },
      [self](const pause_record& record) {
        if (self->state.file->is_wanted()) self->state.file->write(json_line(record));
        self->state.metrics->count(record);
      },
      [self](const metrics_request&) { return metrics_text{self->state.metrics->text(self->state.file->lines_lost())}; },
  };
}

}  // namespace troupe::actors
