// What a pool's blocks hold, what their role is worth where nobody wishes anything, and what of a dead owner's passes to its heir.
#include <algorithm>

#include "engine/core/block_pool_state.hpp"

namespace troupe::core {
namespace {

/// A system prompt and its tools begin every turn of an agent and of its siblings; the reasoning of a loop that is over begins none. Both
/// stay near rank_default, so that a wish of any weight outranks them. Only a leaf can leave, so that reasoning in the middle of a
/// context waits for what builds on it.
std::uint8_t default_rank_of(block_role role) {
  switch (role) {
    case block_role::system:
    case block_role::tools:
      return rank_default + 5;
    case block_role::reasoning:
      return rank_default - 5;
    default:
      return rank_default;
  }
}

}  // namespace

std::uint8_t block_pool::state::rank_of(block_index block, std::uint8_t wished) const {
  return ranks_by_role && wished == rank_default ? default_rank_of(records[block].role) : wished;
}

void block_pool::state::set_role(block_index block, block_role role) {
  block_record& record = records[block];
  if (record.role == role) return;
  --by_role[static_cast<std::size_t>(record.role)];
  ++by_role[static_cast<std::size_t>(role)];
  record.role = role;
  if (ranks_by_role) policy->ranked(block, rank_of(block, intents.rank_of(block)));
}

void block_pool::note_roles(std::span<const block_index> table, std::span<const role_range> ranges) {
  if (ranges.empty()) return;
  state& s = *state_;
  const std::uint32_t width = s.options.block_tokens;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    if (s.records[table[i]].state != block_state::cached || s.records[table[i]].role != block_role::unknown) continue;
    s.note_role(table[i], role_of(ranges, i * width, (i + 1) * width));
  }
}

void block_pool::correct_roles(std::span<const told_role> told) {
  for (const auto& each : told)
    if (const block_index block = state_->find(each.block.hash); block != no_block) state_->set_role(block, each.role);
}

void block_pool::bequeath(owner_id owner, owner_id heir, std::span<const block_identity> head) {
  state& s = *state_;
  if (owner == heir) return;
  for (std::size_t i = head.size(); i-- > 0;) {
    const block_index block = s.find(head[i].hash);
    if (block == no_block || !s.owners.owns(owner, block)) continue;
    for (block_index at = block; at != no_block; at = s.records[at].parent) s.inherited += s.owners.count(at) == 1;
    s.own(heir, block);
    return;
  }
}

}  // namespace troupe::core
