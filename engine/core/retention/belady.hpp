// The offline optimum for one pool: what is used farthest in the future leaves first, of one future request's blocks the deepest. A block
// that is never used again is worth nothing. Only a replay can know this.
#pragma once

#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core {

class belady_policy : public retention_policy {
 public:
  explicit belady_policy(std::span<const std::vector<use_run>> future) : future_(future), waiting_(future.size() + 1) {}

  void stored(block_index, block_index) override {}
  void busy(std::span<const block_index>) override {}
  void idle(std::span<const block_index> chain, instant now) override;
  void removed(block_index block) override;
  void demoted(stream_id, block_index, instant) override;
  void give_up(std::span<const block_index>) override {}
  void ranked(block_index, std::uint8_t) override {}
  void turn_started(const turn_start&, instant) override;
  eviction victim(const question& asked, instant now) override;

 private:
  struct kept {
    block_index block;
    std::uint32_t depth;
  };
  /// When the block at `depth` of the current request is used next.
  [[nodiscard]] std::uint32_t next_use(std::uint32_t depth) const;
  [[nodiscard]] std::uint32_t farthest();

  std::span<const std::vector<use_run>> future_;
  /// By the request that will use them, the deepest first: what comes later is shallower. The first `gone` have left.
  struct bucket {
    std::vector<kept> blocks;
    std::size_t gone = 0;
  };
  std::vector<bucket> waiting_;
  std::vector<std::uint32_t> heap_;  ///< requests with something waiting, and some without
  std::uint32_t now_ = no_block;     ///< the number of the current request
};

}  // namespace troupe::core
