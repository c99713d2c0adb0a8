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

void recency_policy::ranked(block_index block, std::uint8_t rank) {
  blocks_.set_rank(block, by_ == order::rank_then_use || rank == rank_pinned ? rank : rank_default);
}

eviction recency_policy::victim(const question& asked, instant) {
  return {asked.tenant ? blocks_.first(*asked.tenant) : blocks_.first(), eviction_cause::capacity};
}

}  // namespace troupe::core
