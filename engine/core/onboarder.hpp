// Sequences that wait for blocks from the tier below, and the copies that bring them. What arrives is published as cached, so the
// scheduler finds it when the sequence is admitted to it; what does not come, or would come later than it can be computed, is computed.
//
//   ask -> asking --grant--> granted --room--> moving --copied--> ready, parked     any of them -> cancelled, late
//              \--nothing there, too late, slower than computing--> ready
//
// A job's table: [0, first) shared, leased from the question on. [first, end) private, arriving. What has arrived stays leased ("parked") until the scheduler has
// started the sequence: others that start meanwhile would evict it again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/decaying_rate.hpp"
#include "engine/core/offloader.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/core/tier.hpp"

namespace troupe::core {

struct onboarder_counts {
  std::uint64_t blocks_onboarded = 0, bytes_onboarded = 0;
  std::uint64_t blocks_recomputed = 0;  ///< there below, but computing them was estimated to be faster, or there was no room
  std::uint64_t failures = 0;           ///< copies that went wrong
  std::uint32_t waiting = 0;
  double blocks_per_s = 0;              ///< measured, 0 before the first copy
};

/// What the scheduler says of itself when room is looked for.
struct onboard_room {
  std::uint64_t blocks_promised = 0;  ///< of available ones, to running sequences
  double prefill_tokens_per_s = 0;    ///< 0: not measured
  bool is_idle = false;               ///< nothing is under way that could make room
};

class onboarder {
 public:
  onboarder(block_pool& pool, backend& device, offloader& up) : pool_(pool), device_(device), up_(up) {}

  /// What becomes of a sequence whose blocks are there.
  enum class purpose : std::uint8_t { admission, prefetch };
  /// Takes the sequence in, and tells what to ask the tier.
  lease_request ask(sequence_spec spec, instant now, purpose why = purpose::admission);
  void granted(lease_grant grant);
  /// Nobody will answer any more.
  void tier_changed();
  /// False for an unknown sequence. It ends without its blocks.
  bool cancel(request_id id);
  /// Begins copies for which there is room, in the order of arrival.
  void pump(const onboard_room& room, instant now);
  /// False when the ticket is not one of these.
  bool complete(ticket_id ticket, const step_result& result);

  /// Ends the leases of arrived blocks whose sequence waits for the scheduler no more, by `is_waiting`.
  template <class Predicate>
  void unpark(Predicate is_waiting) {
    for (auto at = parked_.begin(); at != parked_.end();) {
      if (is_waiting(at->first)) {
        ++at;
      } else {
        release(at->second.table);
        at = parked_.erase(at);
      }
    }
  }

  /// To be admitted now.
  std::vector<sequence_spec> take_ready() { return std::exchange(ready_, {}); }
  struct prefetched {
    request_id id;
    std::uint32_t blocks_onboarded = 0, blocks_ready = 0;
  };
  std::vector<prefetched> take_prefetched() { return std::exchange(prefetched_, {}); }
  std::vector<lease_end> take_ends() { return std::exchange(ends_, {}); }
  /// The sequences whose deadline has passed; they are forgotten.
  std::vector<request_id> take_late(instant now);
  [[nodiscard]] bool knows(request_id id) const { return jobs_.contains(id); }
  [[nodiscard]] std::size_t size() const noexcept { return jobs_.size(); }
  [[nodiscard]] bool idle() const noexcept { return jobs_.empty() && leaving_.empty(); }
  /// Blocks that a new sequence must leave free, so that those which wait here get their turn.
  [[nodiscard]] std::uint64_t blocks_reserved() const;
  /// Blocks that those who wait here will still ask for, as far as their answers are expected to go.
  [[nodiscard]] std::uint64_t blocks_committed() const;
  /// Blocks that are leased here for sequences that the scheduler has.
  [[nodiscard]] std::uint64_t blocks_parked() const;
  /// Sequences that wait here to be admitted.
  [[nodiscard]] std::size_t admissions() const;
  [[nodiscard]] std::uint32_t blocks_for(std::uint64_t tokens) const;
  /// Prompt tokens that will have to be computed, as far as is known.
  [[nodiscard]] std::uint64_t tokens_waiting() const;
  [[nodiscard]] onboarder_counts counts() const noexcept;
  void count_leases(std::vector<std::uint32_t>& leases) const;

 private:
  struct job {
    sequence_spec spec;
    purpose why = purpose::admission;
    std::uint64_t number = 0;  ///< of its question
    instant asked_at{0};
    std::optional<lease_grant> grant;
    std::vector<block_index> table;
    std::size_t first = 0;
    std::optional<ticket_id> ticket;
    std::uint32_t onboarded = 0;
  };
  struct parking {
    std::uint32_t blocks = 0;  ///< that the sequence needs in all
    std::vector<block_index> table;
  };

  [[nodiscard]] std::uint64_t need_of(const job& waiting) const;
  [[nodiscard]] std::uint64_t expected_of(const job& waiting) const;
  [[nodiscard]] std::uint64_t missing(const job& waiting, std::uint64_t tokens) const;
  enum class attempt : std::uint8_t { begun, no_room, not_worth_it };
  attempt begin(job& waiting, const onboard_room& room);
  void publish(job& arrived, bool is_good);
  static block_role role_below(const job& arrived, std::size_t block);
  void release(std::vector<block_index>& table);
  void extend_held(job& waiting, std::uint32_t end);
  void make_ready(request_id id);
  void make_ready(job ready);
  void park(job& arrived);
  void end_lease(job& held);
  [[nodiscard]] const job* oldest_granted() const;
  [[nodiscard]] bool is_moving() const;

  block_pool& pool_;
  backend& device_;
  offloader& up_;
  std::map<request_id, job> jobs_;
  std::map<request_id, parking> parked_;
  std::vector<job> leaving_;  ///< cancelled while a copy is under way
  std::vector<sequence_spec> ready_;
  std::vector<prefetched> prefetched_;
  std::vector<lease_end> ends_;
  std::uint64_t questions_ = 0;
  decaying_rate rate_;  ///< blocks
  onboarder_counts counts_;
};

}  // namespace troupe::core
