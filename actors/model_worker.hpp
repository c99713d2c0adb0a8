// One device as its worker actor sees it: pool, scheduler, backend and tier traffic behind one set of verbs, with time as an argument.
// Knows messages but no actors. What happened is collected and taken in batches: one progress message per sequence, whatever
// number of tokens a step gave it, and one list of block events.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/retention/pause_model.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/core/tier_traffic.hpp"
#include "messages/base/errc.hpp"
#include "messages/routing.hpp"
#include "messages/service.hpp"
#include "messages/work.hpp"

namespace troupe::actors {

struct model_worker_options {
  worker_id worker;
  model_id model;
  std::uint64_t epoch = 0;            ///< of this incarnation: the next one of the same worker has a higher number
  core::scheduler_options scheduler;  ///< running_max is clipped to the backend's slots
  core::block_pool_options pool;      ///< block_count 0: all blocks of the backend
  core::session_gate_options admission;
};

class model_worker {
 public:
  /// Fails with invalid_request when the pool does not fit the backend.
  static expected<std::unique_ptr<model_worker>> make(model_worker_options options, std::unique_ptr<core::backend> backend);
  ~model_worker();

  /// Failures: those of core::scheduler::admit, and invalid_request for a token outside the vocabulary. A chain may be shorter than
  /// the tokens fill: the rest is hashed here.
  expected<request_id> admit(admit_request request, core::instant now);
  void cancel(request_id id);
  owner_released release(const owner_release& release);
  void forget(const owner_forget& forgotten);
  pause_forecast finish(const turn_outcome& outcome);
  intent_applied apply(const owner_intent& intent);
  owner_demoted demote(owner_id owner) { return {tiers_.demote(owner)}; }
  /// Failures: invalid_request for a prompt that no sequence could have.
  expected<request_id> prefetch(const prefetch_request& request, core::instant now);
  [[nodiscard]] std::vector<prefetch_done> take_prefetched();
  void complete(ticket_id ticket, const core::step_result& result);
  /// What is done from here on is done at `now`.
  void set_time(core::instant now) {
    time_ = now;
    pool_.set_time(now);
  }
  /// Plans and submits until the scheduler has no more for the backend. Ends sequences whose deadline has passed.
  void pump(core::instant now);

  /// Since the last call: one message per sequence, in the order in which the sequences first moved.
  std::vector<sequence_progress> take_progress();
  /// For the tier below; call it after take_block_events.
  core::tier_messages take_tier_messages(core::instant now) { return tiers_.take_messages(now); }
  /// Since the last call, nothing when nothing changed. The first block of a sequence has no parent (`block_hash{}`): the prefix
  /// index starts sequences at 0, whatever root a scope has.
  std::optional<block_events> take_block_events();
  [[nodiscard]] core::tier_traffic& tiers() noexcept { return tiers_; }
  /// Everything cached now. Call it when take_block_events has nothing left, so that `first` continues the events.
  [[nodiscard]] block_events snapshot() const;

  [[nodiscard]] load_report load() const;
  [[nodiscard]] worker_status status() const;
  [[nodiscard]] bool idle() const noexcept { return scheduler_.idle() && tiers_.idle(); }

 private:
  model_worker(model_worker_options options, std::unique_ptr<core::backend> backend);
  void orphan_roots(std::vector<core::block_event>& events) const;

  model_worker_options options_;
  core::block_pool pool_;
  core::scheduler scheduler_;
  std::vector<core::sequence_event> events_;
  std::uint64_t events_announced_ = 0;
  core::instant time_{0};
  std::unique_ptr<core::backend> backend_;
  core::tier_traffic tiers_;
  core::pause_model pauses_;
};

/// As the retention policies are told.
core::turn_finish closing_of(const turn_outcome& outcome);

/// Joins the events of one batch: one message per sequence and run of consecutive tokens.
std::vector<sequence_progress> batch_progress(std::vector<core::sequence_event> events);

}  // namespace troupe::actors
