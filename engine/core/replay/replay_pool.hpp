// The blocks of one holder in the lab, the device of a worker or the shared host tier: which of the trace's blocks it has, and the
// policy that says which leaves.
#pragma once

#include <memory>
#include <vector>

#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core::replay {

class replay_pool {
 public:
  replay_pool(std::uint64_t capacity, std::uint32_t block_count, std::unique_ptr<retention_policy> policy)
      : policy_(std::move(policy)), capacity_(capacity), has_(block_count) {}

  [[nodiscard]] bool has(block_index block) const { return has_[block] != 0; }
  [[nodiscard]] bool is_full() const { return size_ >= capacity_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  retention_policy& policy() { return *policy_; }

  void store(block_index block, block_index parent) {
    add(block);
    policy_->stored(block, parent);
  }
  void demote(stream_id stream, block_index block, instant now) {
    add(block);
    policy_->demoted(stream, block, now);
  }
  void remove(block_index block) {
    has_[block] = 0;
    --size_;
    policy_->removed(block);
  }

 private:
  void add(block_index block) {
    has_[block] = 1;
    ++size_;
  }

  std::unique_ptr<retention_policy> policy_;
  std::uint64_t capacity_, size_ = 0;
  std::vector<std::uint8_t> has_;
};

}  // namespace troupe::core::replay
