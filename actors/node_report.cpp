// Every answer counts down once, the good and the missing alike: the last one tells.
#include "actors/node_report.hpp"

#include <algorithm>
#include <caf/typed_event_based_actor.hpp>

#include "actors/actor_defaults.hpp"
#include "actors/metrics.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

struct gathering {
  node_report report;
  std::size_t waiting = 0;
  std::function<void(const node_report&)> done;

  void arrive() {
    if (--waiting > 0) return;
    const auto by_id = [](const worker_status& left, const worker_status& right) { return left.worker < right.worker; };
    std::sort(report.workers.begin(), report.workers.end(), by_id);
    std::ranges::sort(report.tiers, {}, &tier_status::tier);
    done(report);
  }
};

std::uint32_t living(const directory_counts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [state, count] : counts.sessions)
    if (state != session_state::dead) sum += count;
  return static_cast<std::uint32_t>(sum);
}

std::string_view state_of(const node_state& state, const node_report& report) {
  if (state.draining) return "draining";
  return report.workers.empty() ? "loading" : "ready";
}

}  // namespace

void gather_report(node_pointer self, std::function<void(const node_report&)> done) {
  auto& children = self->state.children;
  auto into = std::make_shared<gathering>();
  into->done = std::move(done);
  into->waiting = children.workers.size() + children.tiers.size() + children.stores.size() + 1;
  const milliseconds wait{limits::status_wait};
  for (const auto& each : children.workers)
    self->request(each.handle, wait, worker_status_request{})
        .then(
            [into](const worker_status& status) {
              into->report.workers.push_back(status);
              into->arrive();
            },
            [into](const caf::error&) { into->arrive(); });
  const auto ask_tier = [&](const tier_actor& tier) {
    self->request(tier, wait, tier_status_request{})
        .then(
            [into](const tier_status& status) {
              into->report.tiers.push_back(status);
              into->arrive();
            },
            [into](const caf::error&) { into->arrive(); });
  };
  for (const auto& each : children.tiers) ask_tier(tier_actor{each.handle});
  for (const auto& each : children.stores) ask_tier(tier_actor{each.handle});
  self->request(children.directory, wait, directory_counts_request{})
      .then(
          [into](const directory_counts& counts) {
            into->report.directory = counts;
            into->arrive();
          },
          [into](const caf::error&) { into->arrive(); });
}

caf::result<node_status> report_status(node_pointer self) {
  auto promise = self->make_response_promise<node_status>();
  gather_report(self, [self, promise](const node_report& report) mutable {
    node_status status;
    status.state = state_of(self->state, report);
    status.sessions = living(report.directory);
    status.turns_running = report.directory.turns_running;
    status.restarts = self->state.restarts.taken();
    status.workers = report.workers;
    status.tiers = report.tiers;
    promise.deliver(std::move(status));
  });
  return promise;
}

caf::result<metrics_text> report_metrics(node_pointer self) {
  auto promise = self->make_response_promise<metrics_text>();
  gather_report(self, [self, promise](const node_report& report) mutable {
    const node_gauges gauges{report.directory.sessions, report.directory.turns_running, self->state.restarts.taken(),
                             unexpected_messages()};
    auto text = render_gauges(report.workers, report.tiers, gauges);
    self->request(self->state.children.services.trace, milliseconds{limits::status_wait}, metrics_request{})
        .then([promise, text](const metrics_text& turns) mutable { promise.deliver(metrics_text{turns.text + text}); },
              [promise](const caf::error& error) mutable { promise.deliver(make_error(to_failure(error))); });
  });
  return promise;
}

}  // namespace troupe::actors
