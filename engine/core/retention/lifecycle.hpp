// The default policy: what an agent is doing says when it comes back, and that says what its blocks are worth.
//
// A stream has one context, or a few where it forks (a subagent under its parent's name) or rewrites its history. A context claims
// the leading blocks of its last prompt. Blocks that no context claims leave first, in the order in which they lost their claims;
// then the context of the least worth gives up its last block, and so on, from its end to its begin. Who asks for room competes too: a
// stream that will not be back soon does not displace others, so a set of streams that does not fit does not thrash. In a tier below, the
// copies of a context that the tier above keeps leave before others': from a turn's start until it is foretold to leave, which the policy above
// foresees.
#pragma once

#include <deque>

#include "engine/core/retention/ranked_heap.hpp"
#include "engine/core/retention/residency.hpp"
#include "engine/core/retention/stream_waits.hpp"
#include "engine/core/retention/tenant_order.hpp"

namespace troupe::core {

class lifecycle_policy : public retention_policy {
 public:
  explicit lifecycle_policy(const retention_options& options)
      : blocks_(options.block_count, options.tenants), is_below_(options.is_below), standings_(options.tenants) {}

  void stored(block_index block, block_index parent) override { blocks_.store(block, parent); }
  void belongs(block_index block, tenant_index tenant) override { blocks_.set_tenant(block, tenant); }
  void busy(std::span<const block_index> chain) override;
  void idle(std::span<const block_index> chain, instant now) override;
  void removed(block_index block) override;
  void demoted(stream_id stream, block_index block, instant now) override;
  void give_up(std::span<const block_index> chain) override;
  void ranked(block_index block, std::uint8_t rank) override;

  void turn_started(const turn_start& turn, instant now) override;
  void context(stream_id stream, std::span<const block_index> chain, instant now) override;
  void abandoned(stream_id stream, block_index block, eviction_cause cause) override;
  void turn_finished(const turn_finish& how, instant now) override;
  void foretold(stream_id stream, std::optional<std::uint64_t> turn, bool is_leaving, instant now) override;
  [[nodiscard]] bool foresees() const noexcept override { return true; }
  std::vector<context_outlook> take_outlooks(std::uint32_t blocks, std::uint32_t slack, instant now) override;
  void forget_outlooks() override;
  void died(stream_id stream, eviction_cause cause, instant now) override;
  eviction victim(const question& asked, instant now) override;

 private:
  using context_id = std::uint32_t;
  static constexpr context_id no_context = ~context_id{0};
  static constexpr std::size_t contexts_per_stream_max = 8;  ///< the one that was used longest ago is forgotten

  struct context_record {
    stream_id stream = no_stream;
    std::uint64_t turn = 0;        ///< the last one
    std::deque<block_index> held;  ///< the blocks it claims, from the first on
    std::uint32_t length = 0;      ///< of its last prompt
    std::uint32_t own = 0;         ///< of the claimed blocks, the last ones that nobody else claims; as of `own_as_of`
    std::uint64_t own_as_of = 0;   ///< `sharings_` then; 0: not counted since its claims changed
    instant started{0};
    context_waits waits;
    float worth = 0;
    tenant_index tenant = 0;
    bool is_leaving = false;  ///< as take_outlooks has said it last, or foretold
    bool is_cut = false;      ///< blocks of it have left since its turn began
  };
  struct stream_record {
    std::vector<context_id> contexts;  ///< the current one last
    stream_pace pace;
  };
  /// By rank of the last block, then worth, then last use.
  struct standing {
    std::uint8_t rank = 0;
    float worth = 0;
    instant started{0};
    auto operator<=>(const standing&) const = default;
  };

  [[nodiscard]] std::size_t find_continued(const stream_record& stream, const turn_start& turn) const;
  /// The turn is one that has been told of before.
  bool repeats(const stream_record& stream, const turn_start& turn, instant now);
  [[nodiscard]] std::size_t blocks_of_its_own(context_record& at) const;
  void claim(context_record& by, block_index block);
  [[nodiscard]] bool goes_on(const context_record& at, std::span<const block_index> chain) const;
  context_id begin_context(stream_id stream, const turn_start& turn, instant now);
  void forget(context_id gone, eviction_cause cause);
  /// Gives up the claims on what lies beyond the first `keep` blocks.
  void cut(context_record& from, std::size_t keep, eviction_cause cause);
  void rank(context_id which, instant now);  ///< brings its worth up to date
  void stand(context_id which);              ///< and its place among the others
  void advance(instant now);
  void stand_anew();  ///< all whose last block has another rank now
  void enqueue_unclaimed(block_index block);
  /// Of those that are asked about.
  [[nodiscard]] block_index first_unclaimed(const question& asked) const;
  [[nodiscard]] context_id least(const question& asked) const;  ///< no_context: none stands

  residency blocks_;  ///< its queue: idle blocks without a claim
  bool is_below_;     ///< copies of what the tier above keeps are worth less than anything else
  wait_models models_;
  std::vector<context_record> contexts_;
  std::vector<context_id> free_contexts_;
  std::vector<stream_record> streams_;
  tenant_order<standing> standings_;  ///< contexts that claim something and whose last block is idle, the least first
  ranked_heap<instant> changes_;     ///< when a context's worth changes next
  std::vector<context_id> in_use_;   ///< taken out of `standings_` because their last block is busy
  std::vector<context_id> leaving_;  ///< as take_outlooks has said
  std::vector<context_id> untold_;   ///< as it will say; some have begun to leave
  std::uint64_t sharings_ = 1;       ///< how often a block has become or ceased to be claimed by two
  bool is_asked_ = false;            ///< for outlooks
  bool is_claim_reranked_ = false;   ///< since standings_ was last in order
};

}  // namespace troupe::core
