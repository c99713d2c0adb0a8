// The worker's side of the tier below: between admission and scheduler, and between pool and tier. Its messages are collected and taken;
// the worker sends them and brings back the answers.
//
// With a tier or without, a sequence waits here until the pool has room for all of it and for its expected answer beside those before it:
// what it finds on the device is leased from then on, what the tier has comes up, and the scheduler starts it at once. The retention policy
// hears of it when it begins to wait. One of lower priority gives way to it if that makes room, and what it displaces is copied first if the
// tier lacks it. A sequence that the scheduler preempts comes back here, and its blocks by a copy.
//
//   admit -> session_gate -> pending --room--> onboarder --its blocks are there--> scheduler -> ended
//                               ^------------------- preempted --------------------|
#pragma once

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/copy_holds.hpp"
#include "engine/core/offloader.hpp"
#include "engine/core/onboarder.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/core/session_gate.hpp"
#include "engine/core/tier.hpp"

namespace troupe::core {

/// In the order in which they must be sent: what the tier is to own or to hold before what it may forget.
struct tier_messages {
  std::vector<slot_commit> commits;
  std::vector<turn_closing> closings;  ///< before how they ended is known
  std::vector<turn_outlook> outlooks;
  std::optional<slot_request> offer;
  std::vector<lease_request> questions;
  std::vector<chain_touch> touches;
  std::vector<lease_end> ends;
};

class tier_traffic : private scheduler_gate {
 public:
  tier_traffic(block_pool& pool, scheduler& turns, backend& device, const session_gate_options& admission = {});
  tier_traffic(const tier_traffic&) = delete;
  tier_traffic& operator=(const tier_traffic&) = delete;

  /// A tier has come that keeps `blocks` for this worker (everything is offered to it), has been replaced, or has gone.
  void attach(std::uint64_t blocks = 0, offload_rule rule = offload_rule::write_through);
  void detach();

  /// As scheduler::admit, at once or when there is room and the tier's blocks are there.
  expected<std::monostate> admit(sequence_spec spec, instant now, const scheduler_options& limits);
  /// Nothing is computed for it; take_prefetched tells what has come of it.
  void prefetch(sequence_spec spec, instant now);
  [[nodiscard]] std::vector<onboarder::prefetched> take_prefetched() { return down_.take_prefetched(); }
  void cancel(request_id id, std::vector<sequence_event>& events);
  /// block_pool::demote_owner, and the tier hears of it.
  std::uint32_t demote(owner_id owner);
  void note(std::span<const block_event> events);
  void granted(const slot_grant& grant) { up_.granted(grant); }
  void granted(lease_grant grant) { down_.granted(std::move(grant)); }
  /// False when the ticket is not of a transfer.
  bool complete(ticket_id ticket, const step_result& result);
  /// Before the scheduler plans: admits what is ready, ends what is late, begins copies.
  void pump(instant now, std::vector<sequence_event>& events);
  tier_messages take_messages(instant now);

  /// Nothing waits for room or blocks. Offloading goes on beside this.
  [[nodiscard]] bool idle() const noexcept { return sessions_.size() == 0 && pending_.empty() && holds_.empty() && down_.idle(); }
  /// Nothing is on its way in either direction.
  [[nodiscard]] bool quiet() const noexcept { return idle() && (!attached_ || up_.idle()); }
  [[nodiscard]] offloader_counts offloaded() const noexcept { return up_.counts(); }
  [[nodiscard]] onboarder_counts onboarded() const noexcept { return down_.counts(); }
  [[nodiscard]] std::uint64_t tokens_waiting() const;
  /// Sequences that wait for room before their blocks are looked for.
  [[nodiscard]] std::uint32_t pending() const noexcept { return static_cast<std::uint32_t>(pending_.size() + sessions_.size()); }
  /// Is to hear how turns end and what follows.
  [[nodiscard]] session_gate& sessions() noexcept { return sessions_; }
  /// More is known of sessions than blocks say: who leaves next is looked at again.
  void reconsider() noexcept { has_changed_ = true; }
  [[nodiscard]] const session_gate& sessions() const noexcept { return sessions_; }
  /// Leases of each block that are held here.
  [[nodiscard]] std::vector<std::uint32_t> leases() const;

 private:
  /// Higher priority first, then arrival: the order of the scheduler.
  using order = std::pair<std::int64_t, std::uint64_t>;
  struct pending_turn {
    sequence_spec spec;
    bool is_announced = false;  ///< to the retention policy
    std::uint32_t overtaken = 0;
  };
  using pending_turns = std::map<order, pending_turn>;
  void take_back(sequence_spec preempted, std::vector<block_index> leased) override;
  void end(const sequence_spec& spec, std::span<const block_index> table) override { close_turn(spec, table); }
  [[nodiscard]] bool is_releasing() const override { return !holds_.empty(); }
  void close_turn(const sequence_spec& spec, std::span<const block_index> table);
  void end_unstarted(request_id id);
  void lower(owner_id owner, std::optional<std::uint64_t> turn, std::span<const block_index> left);
  void foresee();
  void wait_for_room(sequence_spec spec);
  void announce_pending();
  void let_in(instant now, std::vector<sequence_event>& events);
  void admit_ready(std::vector<sequence_event>& events);
  std::vector<request_id> take_late(instant now);
  [[nodiscard]] std::uint64_t blocks_taken() const;
  [[nodiscard]] bool has_room_for(const sequence_spec& next) const;
  /// Blocks that are missing before it fits; 0: it fits.
  [[nodiscard]] std::uint64_t blocks_missing(const sequence_spec& next) const;
  /// Of its prompt that may be found: one token at least is computed.
  [[nodiscard]] std::size_t blocks_usable(const sequence_spec& spec) const;
  [[nodiscard]] block_pool::prefix_peek peek(const sequence_spec& spec) const;
  bool must_wait_for_copies(const sequence_spec& entering);
  bool make_room_for(const sequence_spec& next);
  void ask(sequence_spec spec, instant now);
  pending_turns::iterator find_pending(request_id id);
  pending_turns::iterator next_to_enter();
  [[nodiscard]] bool is_hit(const sequence_spec& spec) const;

  block_pool& pool_;
  scheduler& turns_;
  offloader up_;
  onboarder down_;
  copy_holds holds_;
  session_gate sessions_;
  bool attached_ = false;
  offload_rule rule_ = offload_rule::write_through;
  bool has_changed_ = false;  ///< who stands where in the pool, or who waits, since foresee
  std::size_t blocks_changed_ = 0;
  std::optional<instant> copies_due_;  ///< until then a turn waits for copies of what it displaces; as long as there are any
  std::unordered_map<request_id, owner_id> owners_;  ///< of turns that have come and have not begun to end
  pending_turns pending_;
  std::uint64_t arrivals_ = 0;
  instant now_{0};  ///< of the last call that said it
  std::uint32_t running_max_ = 0;
  tier_messages out_;
};

}  // namespace troupe::core
