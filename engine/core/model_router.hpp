// What one router shard knows of one model: its workers, their loads, the tiers below them, and which blocks each of these holds. Answers which worker a prompt
// should go to now. Grants given since a worker's last report count as load, so that a burst does not all go to one worker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/core/block_pool.hpp"
#include "engine/core/prefix_index.hpp"
#include "engine/core/routing.hpp"
#include "engine/core/single_flight.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

struct worker_load {
  std::uint32_t running = 0, waiting = 0;
  std::uint32_t free_blocks = 0, evictable_blocks = 0;
  std::uint64_t prefill_tokens_waiting = 0;
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  double onboard_blocks_per_s = 0;
};

/// A worker's or a tier's changes as they arrive: `first` numbers them within the epoch. A snapshot replaces what was known.
struct block_changes {
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;
  std::span<const block_event> events;
  bool is_snapshot = false;
};
enum class change_outcome : std::uint8_t {
  applied,
  ignored,  ///< of another epoch, repeated, or after a gap whose snapshot is on its way
  gap       ///< something was lost: ask the worker for a snapshot
};

class model_router {
 public:
  explicit model_router(std::unique_ptr<routing_policy> policy) : policy_{std::move(policy)} {}

  /// Replaces what was known of the worker. Its blocks are unknown until its snapshot comes.
  void join(worker_id worker, std::uint64_t epoch, std::uint32_t block_tokens);
  /// A tier that `readers` can onboard from; numbered among the workers.
  void join_tier(worker_id tier, std::uint64_t epoch, std::vector<worker_id> readers);
  void leave(worker_id holder);
  [[nodiscard]] bool has_workers() const noexcept { return !workers_.empty(); }
  [[nodiscard]] std::optional<std::uint64_t> epoch_of(worker_id holder) const;

  change_outcome apply(worker_id holder, const block_changes& changes, instant now);
  void report(worker_id worker, std::uint64_t epoch, const worker_load& load);

  struct choice {
    worker_id worker;
    std::uint32_t matched_blocks = 0;  ///< leading blocks that need no compute, wherever they lie
  };
  /// Needs a worker. `question.block_tokens` is filled in here.
  choice choose(std::span<const std::uint64_t> symbols, route_question question);
  /// The choice was acted upon: counted as load until the worker's next report.
  void grant(const choice& chosen, std::uint32_t prompt_tokens);

  single_flight& flights() noexcept { return flights_; }
  [[nodiscard]] const single_flight& flights() const noexcept { return flights_; }
  [[nodiscard]] const prefix_index& index() const noexcept { return index_; }

 private:
  /// What is known of a holder's content.
  struct content {
    std::uint64_t epoch = 0;
    holder_id holder = 0;
    std::uint64_t next_event = 0;
    bool is_known = false;      ///< a snapshot has come
    instant snapshot_asked{0};  ///< 0: none is awaited
  };
  struct entry {
    content blocks;
    std::uint32_t block_tokens = 0;
    worker_load load;
    std::uint32_t granted = 0;  ///< since the last report
    std::uint64_t granted_tokens = 0;
  };
  struct tier_entry {
    content blocks;
    std::vector<worker_id> readers;
  };
  [[nodiscard]] content* find(worker_id holder);
  change_outcome ask_snapshot(content& of, instant now);
  void store(const content& in, std::span<const block_event> events);
  [[nodiscard]] holder_id free_holder() const;
  [[nodiscard]] std::uint32_t matched(holder_id holder) const;
  [[nodiscard]] static route_candidate candidate_of(worker_id id, const entry& worker);

  std::map<worker_id, entry> workers_;  // ordered: candidates come in the same order each time
  std::map<worker_id, tier_entry> tiers_;
  prefix_index index_;
  single_flight flights_;
  std::unique_ptr<routing_policy> policy_;
  std::vector<holder_match> matches_;
};

}  // namespace troupe::core
