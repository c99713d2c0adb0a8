#include "engine/core/retention/recency.hpp"

namespace troupe::core {

void recency_policy::busy(std::span<const block_index> chain) {
  for (const block_index block : chain) blocks_.unlink(block);
}

void recency_policy::idle(std::span<const block_index> chain, instant) {
  for (std::size_t i = chain.size(); i-- > 0;) blocks_.append(chain[i]);
}

void recency_policy::demoted(stream_id, block_index block, instant) {
  blocks_.store(block, no_block);
  blocks_.append(block);
}

void recency_policy::give_up(std::span<const block_index> chain) {
  for (const block_index block : chain) blocks_.prepend(block);
}

bool recency_policy::raise_priority(block_index block, std::uint8_t priority) {
  return by_ == order::rank_then_use && blocks_.raise(block, priority);
}

bool recency_policy::pin(block_index block, instant until) { return by_ == order::rank_then_use && blocks_.pin(block, until); }

eviction recency_policy::victim(const question&, instant now) {
  blocks_.expire(now);
  block_index block = blocks_.first();
  while (block != no_block && blocks_[block].children > 0) block = blocks_[block].next;
  return {block, eviction_cause::capacity};
}

}  // namespace troupe::core
