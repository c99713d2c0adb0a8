// Which worker takes a request, with the product's prefix index and routing policies, on what the lab knows of each worker's load.
#include <algorithm>

#include "engine/core/replay/player_state.hpp"

namespace troupe::core::replay {
namespace {

/// The index takes 0 for "before the first block".
std::uint64_t id_of(block_index block) { return std::uint64_t{block} + 1; }

}  // namespace

/// How many leading blocks the worker has on its device or in the tier, of which `from` are known.
std::uint32_t row_player::reachable(std::uint32_t on, std::uint32_t from) const {
  const replay_pool& device = *workers_[on].device;
  while (from < path_.size() && (device.has(path_[from]) || (host_ && host_->has(path_[from])))) ++from;
  return from;
}

std::uint32_t row_player::route(std::uint32_t number, stream_id stream) {
  if (workers_.size() == 1) return 0;
  const played_request& asked = input_.played.requests[number];
  symbols_.clear();
  for (const block_index block : path_) symbols_.push_back(id_of(block));
  matches_.clear();
  index_.lookup(symbols_, matches_);
  candidates_.clear();
  const replay_rates& rates = options_.rates;
  for (std::uint32_t on = 0; on < workers_.size(); ++on) {
    const worker& each = workers_[on];
    const double queued_s = std::max(each.busy_until_s - asked.start_s, 0.0);
    const auto free = static_cast<std::uint32_t>(each.device->capacity() - each.device->size());
    candidates_.push_back({.worker = {on},
                           .running = each.running,
                           .prefill_tokens_waiting = static_cast<std::uint64_t>(queued_s * rates.prefill_tokens_per_s),
                           .free_blocks = free,
                           .evictable_blocks = static_cast<std::uint32_t>(each.device->size()),
                           .prefill_tokens_per_s = rates.prefill_tokens_per_s,
                           .decode_tokens_per_s = rates.decode_tokens_per_s});
  }
  for (const holder_match& match : matches_) candidates_[match.holder].matched_blocks = match.blocks;
  if (host_)
    for (std::uint32_t on = 0; on < workers_.size(); ++on) candidates_[on].matched_blocks = reachable(on, candidates_[on].matched_blocks);
  route_question question{.prompt_tokens = asked.asked.input_tokens, .block_tokens = input_.trace.block_tokens};
  if (const auto last = streams_[stream].worker; last != no_worker) question.last_worker = worker_id{last};
  question.random = rng_();
  return static_cast<std::uint32_t>(routing_->choose(question, candidates_));
}

void row_player::announce_stored(std::uint32_t on, block_index block, block_index parent) {
  if (workers_.size() == 1) return;
  ++copies_[block];
  const prefix_index::entry entry{id_of(block), id_of(block)};
  index_.store(on, parent == no_block ? 0 : id_of(parent), {&entry, 1});
}

void row_player::announce_removed(std::uint32_t on, block_index block) {
  if (workers_.size() == 1) return;
  --copies_[block];
  const std::uint64_t id = id_of(block);
  index_.remove(on, {&id, 1});
}

}  // namespace troupe::core::replay
