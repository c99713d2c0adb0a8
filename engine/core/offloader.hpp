// Copies what a device stores to the tier below, as it is stored: while the tier has room, what leaves the device is there already. A tier that
// is full gives up copies of what the device keeps, so they are offered again at the turn's end or before they leave (offload_rule). One batch is under
// way at a time, parents before children.
//
// note -> queue -> offer (leased) -> granted (copying) -> complete (committed, lease ended; settled until it leaves the device)
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/core/tier.hpp"

namespace troupe::core {

struct offloader_counts {
  std::uint64_t blocks_offloaded = 0, bytes_offloaded = 0;
  std::uint64_t blocks_missed = 0;  ///< they had left the device before they could be offered
  std::uint32_t waiting = 0;
};

class offloader {
 public:
  offloader(block_pool& pool, backend& device) : pool_(pool), device_(device) {}

  /// What the pool has stored and removed, in order.
  void note(std::span<const block_event> events);
  /// An owner uses these: what a limit kept off the tier is offered again if this owner's does not.
  void note_use(std::span<const block_identity> chain);
  /// The device may give up these cached blocks, parents before children: a tier that is full has given up copies of them, or would not
  /// take them, while the device kept them.
  void offer_again(std::span<const block_index> chain);
  /// This block came from below: it need not be offered.
  void note_onboarded(const block_hash& hash) { below_.insert(hash.low); }
  /// The next batch, nothing while one is under way. A batch that is not answered until `limits::tier_wait` has passed is given up.
  std::optional<slot_request> offer(instant now);
  void granted(const slot_grant& grant);
  /// Of these cached blocks, parents before children, the first `count_max` that are neither below nor refused there. They are offered next.
  std::vector<block_index> hasten(std::span<const block_index> chain, std::size_t count_max);
  /// It is below, or has been offered in vain: nothing more will be copied.
  [[nodiscard]] bool is_settled(block_index cached) const;
  /// Nothing when the ticket is not one of these.
  std::optional<slot_commit> complete(ticket_id ticket, const step_result& result);
  /// Of grants that came too late.
  std::vector<slot_commit> take_refused() { return std::exchange(refused_, {}); }
  /// There is another tier below, or none: everything that the device holds is offered anew.
  void tier_changed();

  /// Leases of its batch will end soon.
  [[nodiscard]] bool is_copying() const noexcept { return ticket_.has_value(); }
  /// So are, or wait to be, blocks that were offered again.
  [[nodiscard]] bool is_saving() const noexcept { return !leaving_.empty() || (has_leaving_ && !batch_.empty()); }
  [[nodiscard]] bool idle() const noexcept { return queue_.empty() && leaving_.empty() && batch_.empty(); }
  [[nodiscard]] offloader_counts counts() const noexcept;
  /// Adds one for each lease that a batch under way holds.
  void count_leases(std::vector<std::uint32_t>& leases) const;

 private:
  void give_up();
  [[nodiscard]] bool is_offered(block_index block) const;

  block_pool& pool_;
  backend& device_;
  std::deque<block_hash> queue_;             ///< as they were stored
  std::deque<block_hash> leaving_;           ///< offered again, before the others
  bool has_leaving_ = false;                 ///< the batch
  std::vector<block_hash> again_;            ///< of the batch: to be offered again when it has ended
  std::unordered_set<block_hash> withheld_;  ///< cached here, and no owner's limit lets them down
  std::unordered_set<std::uint64_t> below_;  ///< low hashes of onboarded blocks whose storing is not noted yet
  std::unordered_set<std::uint64_t> settled_;  ///< low hashes of blocks on the device
  std::vector<block_index> batch_;           ///< leased
  bool is_full_ = false;                     ///< the tier has been: what it was given it may have given up
  bool is_stale_ = false;                    ///< the batch was offered to a tier that has gone
  std::uint64_t transfer_ = 0;
  instant offered_at_{0};
  std::uint32_t copying_ = 0;                ///< blocks of the batch that are being copied
  std::optional<ticket_id> ticket_;
  std::shared_ptr<const void> keeps_;
  std::vector<slot_commit> refused_;
  offloader_counts counts_;
};

}  // namespace troupe::core
