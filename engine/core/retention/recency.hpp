// By last use, children before parents, what is pinned never: `lru`. With ranks, the lowest first and by last use within: `priority`.
#pragma once

#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core {

class recency_policy : public retention_policy {
 public:
  enum class order : std::uint8_t { use, rank_then_use };
  recency_policy(const retention_options& options, order by) : blocks_(options.block_count, options.tenants), by_(by) {}

  void stored(block_index block, block_index parent) override { blocks_.store(block, parent); }
  void belongs(block_index block, tenant_index tenant) override { blocks_.set_tenant(block, tenant); }
  void busy(std::span<const block_index> chain) override;
  void idle(std::span<const block_index> chain, instant now) override;
  void removed(block_index block) override { blocks_.remove(block); }
  void demoted(stream_id, block_index block, instant) override;
  void give_up(std::span<const block_index> chain) override;
  void ranked(block_index block, std::uint8_t rank) override;
  void died(stream_id, eviction_cause, instant) override {}
  eviction victim(const question& asked, instant now) override;

 private:
  residency blocks_;
  order by_;
};

}  // namespace troupe::core
