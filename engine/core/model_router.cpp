#include "engine/core/model_router.hpp"

#include <algorithm>

#include "messages/base/limits.hpp"

namespace troupe::core {

void model_router::join(worker_id worker, std::uint64_t epoch, std::uint32_t block_tokens) {
  leave(worker);
  entry fresh;
  fresh.blocks.epoch = epoch;
  fresh.blocks.holder = free_holder();
  fresh.block_tokens = block_tokens;
  workers_.emplace(worker, fresh);
}

void model_router::join_tier(worker_id tier, std::uint64_t epoch, std::vector<worker_id> readers) {
  leave(tier);
  tier_entry fresh{{}, std::move(readers)};
  fresh.blocks.epoch = epoch;
  fresh.blocks.holder = free_holder();
  tiers_.emplace(tier, std::move(fresh));
}

model_router::content* model_router::find(worker_id holder) {
  if (const auto worker = workers_.find(holder); worker != workers_.end()) return &worker->second.blocks;
  const auto tier = tiers_.find(holder);
  return tier == tiers_.end() ? nullptr : &tier->second.blocks;
}

std::optional<std::uint64_t> model_router::epoch_of(worker_id holder) const {
  const auto* known = const_cast<model_router*>(this)->find(holder);
  return known == nullptr ? std::nullopt : std::optional{known->epoch};
}

void model_router::leave(worker_id holder) {
  if (const auto* known = find(holder)) index_.remove_holder(known->holder);
  workers_.erase(holder);
  tiers_.erase(holder);
}

holder_id model_router::free_holder() const {
  holder_id holder = 0;
  const auto is_taken = [&](const auto& each) { return each.second.blocks.holder == holder; };
  while (std::ranges::any_of(workers_, is_taken) || std::ranges::any_of(tiers_, is_taken)) ++holder;
  return holder;
}

change_outcome model_router::apply(worker_id holder, const block_changes& changes, instant now) {
  auto* known = find(holder);
  if (known == nullptr || known->epoch != changes.epoch) return change_outcome::ignored;
  auto events = changes.events;
  if (changes.is_snapshot) {
    index_.remove_holder(known->holder);
    known->is_known = true;
    known->snapshot_asked = instant{0};
    known->next_event = changes.first;
  } else {
    const auto end = changes.first + events.size();
    if (!known->is_known || changes.first > known->next_event) return ask_snapshot(*known, now);
    if (end <= known->next_event) return change_outcome::ignored;
    events = events.subspan(known->next_event - changes.first);
    known->next_event = end;
  }
  store(*known, events);
  return change_outcome::applied;
}

change_outcome model_router::ask_snapshot(content& of, instant now) {
  if (of.snapshot_asked != instant{0} && now < of.snapshot_asked + limits::snapshot_wait) return change_outcome::ignored;
  of.snapshot_asked = now;
  return change_outcome::gap;
}

void model_router::store(const content& in, std::span<const block_event> events) {
  for (const auto& event : events) {
    const prefix_index::entry block{event.block.symbol, event.block.hash.low};
    if (event.what == block_event::kind::removed) {
      index_.remove(in.holder, {&block.id, 1});
      continue;
    }
    index_.store(in.holder, event.parent.low, {&block, 1});
    flights_.stored(block.id);
  }
}

void model_router::report(worker_id worker, std::uint64_t epoch, const worker_load& load) {
  const auto known = workers_.find(worker);
  if (known == workers_.end() || known->second.blocks.epoch != epoch) return;
  known->second.load = load;
  known->second.granted = 0;
  known->second.granted_tokens = 0;
}

route_candidate model_router::candidate_of(worker_id id, const entry& worker) {
  return {.worker = id,
          .matched_blocks = 0,
          .onboard_blocks = 0,
          .running = worker.load.running,
          .waiting = worker.load.waiting + worker.granted,
          .prefill_tokens_waiting = worker.load.prefill_tokens_waiting + worker.granted_tokens,
          .free_blocks = worker.load.free_blocks,
          .evictable_blocks = worker.load.evictable_blocks,
          .prefill_tokens_per_s = worker.load.prefill_tokens_per_s,
          .decode_tokens_per_s = worker.load.decode_tokens_per_s,
          .onboard_blocks_per_s = worker.load.onboard_blocks_per_s};
}

std::uint32_t model_router::matched(holder_id holder) const {
  const auto found = std::ranges::find(matches_, holder, &holder_match::holder);
  return found == matches_.end() ? 0 : found->blocks;
}

model_router::choice model_router::choose(std::span<const std::uint64_t> symbols, route_question question) {
  matches_.clear();
  index_.lookup(symbols, matches_);
  std::vector<route_candidate> candidates;
  candidates.reserve(workers_.size());
  for (const auto& [id, worker] : workers_) {
    auto& candidate = candidates.emplace_back(candidate_of(id, worker));
    candidate.matched_blocks = matched(worker.blocks.holder);
    for (const auto& [tier, below] : tiers_) {
      const auto reach = std::ranges::find(below.readers, id) == below.readers.end() ? 0 : matched(below.blocks.holder);
      if (reach > candidate.matched_blocks) candidate.onboard_blocks = std::max(candidate.onboard_blocks, reach - candidate.matched_blocks);
    }
  }
  question.block_tokens = workers_.begin()->second.block_tokens;
  const auto& chosen = candidates[policy_->choose(question, candidates)];
  return {chosen.worker, chosen.matched_blocks + chosen.onboard_blocks};
}

void model_router::grant(const choice& chosen, std::uint32_t prompt_tokens) {
  auto& worker = workers_.at(chosen.worker);
  const auto cached = std::uint64_t{chosen.matched_blocks} * worker.block_tokens;
  ++worker.granted;
  worker.granted_tokens += prompt_tokens - std::min<std::uint64_t>(prompt_tokens, cached);
}

}  // namespace troupe::core
