// The router shard without its actor: turns that want a worker, and who must wait for what. A turn waits until its model has a
// worker, and while another turn computes blocks that it would compute too. Answers are collected and taken; one per ask.
//
//   ask -> granted                      a worker, and a compute lease on the blocks that it misses
//       -> waits for a block            until it is stored, its lease ends (route_end, deadline, death of its worker)
//       -> waits for a worker           until one joins
//       -> refused                      queue_full, deadline_exceeded, worker_lost, not_ready
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/model_router.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {

struct route_ask {
  request_id id;
  model_id model;
  std::vector<std::uint64_t> symbols, ids;  ///< of all full blocks of the prompt, in order
  route_question question;
  std::int32_t priority = 0;  ///< higher is looked at first
  instant deadline{0};
};

struct route_answer {
  request_id id;
  worker_id worker;
  std::uint32_t matched_blocks = 0;
  bool waited = false;                  ///< for blocks of another turn
  failure refusal{errc::none, {}, {}};  ///< code none: granted
};

struct route_queue_options {
  std::string policy = "cost";
  std::uint64_t seed = 1;  ///< of the numbers that policies draw
  std::size_t waiting_max = limits::routes_waiting_max;
  instant lease = limits::compute_lease;
};

class route_queue {
 public:
  /// Fails with invalid_request for an unknown policy; the message lists the known ones.
  static expected<route_queue> make(route_queue_options options);

  /// A second ask with one id replaces the first, whose lease and place end.
  void ask(route_ask ask, instant now);
  void end(request_id id, instant now);
  /// False for an epoch that is known or older.
  bool join(worker_id worker, const model_id& model, std::uint64_t epoch, std::uint32_t block_tokens, instant now);
  /// A tier of a model; false for an epoch that is known or older. Tiers are numbered among the workers and leave as they do.
  bool join_tier(worker_id tier, const model_id& model, std::uint64_t epoch, std::vector<worker_id> readers, instant now);
  void leave(worker_id worker, instant now);
  change_outcome apply(worker_id worker, const block_changes& changes, instant now);
  void report(worker_id worker, std::uint64_t epoch, const worker_load& load);
  /// Ends leases and asks whose deadline has passed. Call it every now and then while `needs_tick()`.
  void tick(instant now);
  [[nodiscard]] bool needs_tick() const noexcept { return !waiting_.empty() || !leases_.empty(); }

  std::vector<route_answer> take_answers() { return std::exchange(answers_, {}); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  struct waiter {
    route_ask ask;
    std::optional<std::uint64_t> block;  ///< nothing: for a worker
    bool waited = false;
  };
  struct lease {
    model_id model;
    worker_id worker;
    instant deadline;
  };
  using place = std::pair<std::int64_t, std::uint64_t>;  // (-priority, arrival)

  explicit route_queue(route_queue_options options) : options_{std::move(options)} {}
  bool grant(waiter& turn, instant now);
  void refuse(request_id id, failure why);
  void release(request_id id);
  void wake(instant now);
  [[nodiscard]] bool may_move(const waiter& turn, instant now) const;
  void expire_waiters(instant now);
  void expire_leases(instant now);
  [[nodiscard]] failure lateness(const waiter& turn) const;
  [[nodiscard]] model_router* router_of(worker_id worker);

  route_queue_options options_;
  std::map<model_id, model_router> routers_;  // grows by the models that workers serve, never by what is asked for
  std::unordered_map<worker_id, model_id> models_;
  std::map<place, waiter> waiting_;
  std::unordered_map<request_id, place> places_;
  std::unordered_map<request_id, lease> leases_;
  std::vector<route_answer> answers_;
  std::uint64_t arrivals_ = 0, draws_ = 0;
};

}  // namespace troupe::core
