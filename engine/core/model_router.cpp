#include "engine/core/model_router.hpp"

#include <algorithm>

#include "messages/base/limits.hpp"

namespace troupe::core {

void model_router::join(worker_id worker, std::uint64_t epoch, std::uint32_t block_tokens) {
  leave(worker);
  entry fresh;
  fresh.epoch = epoch;
  fresh.block_tokens = block_tokens;
  fresh.holder = free_holder();
  workers_.emplace(worker, fresh);
}

std::optional<std::uint64_t> model_router::epoch_of(worker_id worker) const {
  const auto known = workers_.find(worker);
  return known == workers_.end() ? std::nullopt : std::optional{known->second.epoch};
}

void model_router::leave(worker_id worker) {
  const auto known = workers_.extract(worker);
  if (known) index_.remove_holder(known.mapped().holder);
}

holder_id model_router::free_holder() const {
  holder_id holder = 0;
  const auto is_taken = [&](const auto& each) { return each.second.holder == holder; };
  while (std::any_of(workers_.begin(), workers_.end(), is_taken)) ++holder;
  return holder;
}

change_outcome model_router::apply(worker_id worker, const block_changes& changes, instant now) {
  const auto known = workers_.find(worker);
  if (known == workers_.end() || known->second.epoch != changes.epoch) return change_outcome::ignored;
  auto& entry = known->second;
  auto events = changes.events;
  if (changes.is_snapshot) {
    index_.remove_holder(entry.holder);
    entry.is_known = true;
    entry.snapshot_asked = instant{0};
    entry.next_event = changes.first;
  } else {
    const auto end = changes.first + events.size();
    if (!entry.is_known || changes.first > entry.next_event) return ask_snapshot(entry, now);
    if (end <= entry.next_event) return change_outcome::ignored;
    events = events.subspan(entry.next_event - changes.first);
    entry.next_event = end;
  }
  store(entry, events);
  return change_outcome::applied;
}

change_outcome model_router::ask_snapshot(entry& worker, instant now) {
  if (worker.snapshot_asked != instant{0} && now < worker.snapshot_asked + limits::snapshot_wait) return change_outcome::ignored;
  worker.snapshot_asked = now;
  return change_outcome::gap;
}

void model_router::store(entry& worker, std::span<const block_event> events) {
  for (const auto& event : events) {
    const prefix_index::entry block{event.block.symbol, event.block.hash.low};
    if (event.what == block_event::kind::removed) {
      index_.remove(worker.holder, {&block.id, 1});
      continue;
    }
    index_.store(worker.holder, event.parent.low, {&block, 1});
    flights_.stored(block.id);
  }
}

void model_router::report(worker_id worker, std::uint64_t epoch, const worker_load& load) {
  const auto known = workers_.find(worker);
  if (known == workers_.end() || known->second.epoch != epoch) return;
  known->second.load = load;
  known->second.granted = 0;
  known->second.granted_tokens = 0;
}

route_candidate model_router::candidate_of(worker_id id, const entry& worker) {
  return {.worker = id,
          .matched_blocks = 0,
          .running = worker.load.running,
          .waiting = worker.load.waiting + worker.granted,
          .prefill_tokens_waiting = worker.load.prefill_tokens_waiting + worker.granted_tokens,
          .free_blocks = worker.load.free_blocks,
          .evictable_blocks = worker.load.evictable_blocks,
          .prefill_tokens_per_s = worker.load.prefill_tokens_per_s,
          .decode_tokens_per_s = worker.load.decode_tokens_per_s};
}

model_router::choice model_router::choose(std::span<const std::uint64_t> symbols, route_question question) {
  matches_.clear();
  index_.lookup(symbols, matches_);
  std::vector<route_candidate> candidates;
  candidates.reserve(workers_.size());
  for (const auto& [id, worker] : workers_) {
    auto& candidate = candidates.emplace_back(candidate_of(id, worker));
    const auto held = std::find_if(matches_.begin(), matches_.end(), [&](const auto& match) { return match.holder == worker.holder; });
    if (held != matches_.end()) candidate.matched_blocks = held->blocks;
  }
  question.block_tokens = workers_.begin()->second.block_tokens;
  const auto& chosen = candidates[policy_->choose(question, candidates)];
  return {chosen.worker, chosen.matched_blocks};
}

void model_router::grant(const choice& chosen, std::uint32_t prompt_tokens) {
  auto& worker = workers_.at(chosen.worker);
  const auto cached = std::uint64_t{chosen.matched_blocks} * worker.block_tokens;
  ++worker.granted;
  worker.granted_tokens += prompt_tokens - std::min<std::uint64_t>(prompt_tokens, cached);
}

}  // namespace troupe::core
