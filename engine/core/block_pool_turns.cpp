// What a block pool's retention policy hears of owners and their turns, and what it says of who leaves next.
#include <algorithm>
#include <utility>

#include "engine/core/block_pool_state.hpp"

namespace troupe::core {

stream_id block_pool::state::stream_of(owner_id owner) const {
  const auto known = streams.find(owner);
  return known == streams.end() ? no_stream : known->second;
}

void block_pool::state::claim(owner_id owner, std::span<const block_index> chain) {
  if (const stream_id stream = stream_of(owner); stream != no_stream && !chain.empty()) policy->context(stream, chain, now);
}

void block_pool::state::open_turn(owner_id owner, const turn_opening& opening, std::span<const block_index> resident) {
  stream_id stream = stream_of(owner);
  if (stream == no_stream) {
    stream = static_cast<stream_id>(streams.size() + free_streams.size());
    if (!free_streams.empty()) {
      stream = free_streams.back();
      free_streams.pop_back();
    }
    streams.emplace(owner, stream);
    stream_owners.resize(std::max<std::size_t>(stream_owners.size(), std::size_t{stream} + 1));
    stream_owners[stream] = owner;
  }
  lowest_tiers.erase(owner);
  if (opening.max_tier != tier_level::remote) lowest_tiers.emplace(owner, opening.max_tier);
  policy->turn_started({stream, opening.turn, opening.input, resident, opening.blocks, shares.known(opening.tenant)}, now);
}

void block_pool::claim(owner_id owner, std::span<const block_index> table) {
  const auto end = std::ranges::find_if(table, [&](block_index block) { return state_->records[block].state != block_state::cached; });
  state_->claim(owner, table.first(static_cast<std::size_t>(end - table.begin())));
}

void block_pool::finish_turn(owner_id owner, turn_finish how) {
  how.stream = state_->stream_of(owner);
  if (how.stream != no_stream) state_->policy->turn_finished(how, state_->now);
}

void block_pool::foretell(owner_id owner, std::optional<std::uint64_t> turn, bool is_leaving) {
  if (const stream_id stream = state_->stream_of(owner); stream != no_stream)
    state_->policy->foretold(stream, turn, is_leaving, state_->now);
}

std::vector<block_pool::outlook> block_pool::take_outlooks(std::uint32_t blocks, std::uint32_t slack) {
  std::vector<outlook> told;
  for (auto& each : state_->policy->take_outlooks(blocks, slack, state_->now))
    told.push_back({state_->stream_owners[each.stream], each.turn, each.is_leaving, std::move(each.blocks)});
  return told;
}

void block_pool::forget_outlooks() { state_->policy->forget_outlooks(); }

bool block_pool::foresees() const noexcept { return state_->policy->foresees(); }

}  // namespace troupe::core
