#include "engine/core/retention/lifecycle.hpp"

#include <algorithm>
#include <utility>

namespace troupe::core {
namespace {

constexpr double continued_share = 0.9;  // of a context's blocks that the next prompt must begin with; its very end is often rewritten

std::size_t common_prefix(const std::deque<block_index>& held, std::span<const block_index> path) {
  return static_cast<std::size_t>(std::mismatch(held.begin(), held.end(), path.begin(), path.end()).first - held.begin());
}

}  // namespace

void lifecycle_policy::busy(std::span<const block_index> chain) {
  for (const block_index block : chain) {
    blocks_[block].is_idle = false;
    blocks_.unlink(block);
  }
}

void lifecycle_policy::idle(std::span<const block_index> chain, instant now) {
  for (std::size_t i = chain.size(); i-- > 0;) {
    blocks_[chain[i]].is_idle = true;
    if (blocks_[chain[i]].claims == 0) enqueue_unclaimed(chain[i]);
  }
  for (const context_id each : std::exchange(in_use_, {}))
    if (contexts_[each].stream != no_stream) rank(each, now);
}

void lifecycle_policy::removed(block_index block) {
  if (blocks_[block].claims > 0) {  // not named by victim(): rare, so a look at every context will do
    for (context_id at = 0; at < contexts_.size(); ++at) {
      context_record& each = contexts_[at];
      const auto found = std::find(each.held.begin(), each.held.end(), block);
      if (found != each.held.end()) cut(each, static_cast<std::size_t>(found - each.held.begin()), eviction_cause::capacity);
      if (standings_.contains(at)) stand(at);
    }
  }
  blocks_.remove(block);
}

void lifecycle_policy::ranked(block_index block, std::uint8_t rank) {
  blocks_.set_rank(block, rank);
  is_claim_reranked_ |= blocks_[block].claims > 0;
}

void lifecycle_policy::enqueue_unclaimed(block_index block) {
  if (blocks_[block].is_idle) blocks_.append(block);
}

void lifecycle_policy::cut(context_record& from, std::size_t keep, eviction_cause cause) {
  while (from.held.size() > keep) {
    const block_index block = from.held.back();
    from.held.pop_back();
    from.own_as_of = 0;
    if (--blocks_[block].claims > 0) {
      ++sharings_;
      continue;
    }
    blocks_[block].cause = cause;
    enqueue_unclaimed(block);
  }
}

std::size_t lifecycle_policy::find_continued(const stream_record& stream, const turn_start& turn) const {
  std::size_t best = stream.contexts.size();
  std::pair<std::size_t, std::uint32_t> best_fit{0, 0};
  for (std::size_t i = 0; i < stream.contexts.size(); ++i) {
    const context_record& each = contexts_[stream.contexts[i]];
    const std::size_t common = common_prefix(each.held, turn.resident);
    if (common + 1 < each.held.size() && static_cast<double>(common) < continued_share * static_cast<double>(each.held.size())) continue;
    if (turn.blocks + 1 < each.length && turn.blocks < continued_share * each.length) continue;
    const std::pair fit{common, each.length};
    if (best == stream.contexts.size() || fit >= best_fit) {
      best = i;
      best_fit = fit;
    }
  }
  return best;
}

void lifecycle_policy::turn_started(const turn_start& turn, instant now) {
  advance(now);
  if (turn.stream >= streams_.size()) streams_.resize(std::size_t{turn.stream} + 1);
  stream_record& stream = streams_[turn.stream];
  if (repeats(stream, turn, now)) return;
  const std::size_t found = find_continued(stream, turn);
  context_id current = no_context;
  if (found < stream.contexts.size()) {
    current = stream.contexts[found];
    stream.contexts.erase(stream.contexts.begin() + static_cast<std::ptrdiff_t>(found));
    context_record& at = contexts_[current];
    models_.come_back(at.waits, now);
    stream.pace.add(std::chrono::duration<double>(now - at.started).count());
    cut(at, common_prefix(at.held, turn.resident), eviction_cause::superseded);
  } else {
    current = begin_context(turn.stream, turn, now);
  }
  streams_[turn.stream].contexts.push_back(current);
  context_record& at = contexts_[current];
  at.turn = turn.turn;
  at.started = now;
  at.length = turn.blocks;
  at.is_leaving = at.is_cut = false;
  models_.start(at.waits, turn.input, stream.pace, now);
  rank(current, now);
}

bool lifecycle_policy::repeats(const stream_record& stream, const turn_start& turn, instant now) {
  for (const context_id each : stream.contexts) {
    context_record& at = contexts_[each];
    if (at.turn != turn.turn) continue;
    cut(at, common_prefix(at.held, turn.resident), eviction_cause::superseded);
    at.is_leaving = at.is_cut = false;
    rank(each, now);
    return true;
  }
  return false;
}

lifecycle_policy::context_id lifecycle_policy::begin_context(stream_id stream, const turn_start& turn, instant now) {
  auto& siblings = streams_[stream].contexts;
  if (!siblings.empty()) {
    context_record& before = contexts_[siblings.back()];
    models_.supersede(before.waits, turn.input, static_cast<double>(turn.blocks) / std::max(before.length, 1U), now);
    rank(siblings.back(), now);
  }
  if (siblings.size() >= contexts_per_stream_max) {
    forget(siblings.front(), eviction_cause::superseded);
    siblings.erase(siblings.begin());
  }
  context_id made = static_cast<context_id>(contexts_.size());
  if (free_contexts_.empty()) {
    contexts_.emplace_back();
  } else {
    made = free_contexts_.back();
    free_contexts_.pop_back();
  }
  contexts_[made].stream = stream;
  contexts_[made].tenant = turn.tenant;
  return made;
}

void lifecycle_policy::forget(context_id gone, eviction_cause cause) {
  cut(contexts_[gone], 0, cause);
  standings_.erase(gone, contexts_[gone].tenant);
  changes_.erase(gone);
  contexts_[gone] = {};
  free_contexts_.push_back(gone);
}

void lifecycle_policy::context(stream_id stream, std::span<const block_index> chain, instant now) {
  if (stream >= streams_.size()) return;
  const auto& contexts = streams_[stream].contexts;
  const auto found = std::find_if(contexts.rbegin(), contexts.rend(), [&](context_id each) { return goes_on(contexts_[each], chain); });
  if (found == contexts.rend()) return;
  context_record& at = contexts_[*found];
  if (chain.empty()) cut(at, 0, eviction_cause::superseded);
  if (!is_below_ && chain.size() > common_prefix(at.held, chain)) at.is_leaving = at.is_cut = false;  // it has come back, or grows
  for (const block_index block : chain.subspan(common_prefix(at.held, chain))) {
    if (blocks_[block].claims == 0) blocks_.unlink(block);
    claim(at, block);
    at.held.push_back(block);
  }
  rank(*found, now);
}

void lifecycle_policy::claim(context_record& by, block_index block) {
  if (blocks_[block].claims++ > 0) ++sharings_;
  by.own_as_of = 0;
}

void lifecycle_policy::abandoned(stream_id stream, block_index block, eviction_cause cause) {
  if (stream >= streams_.size()) return;
  for (const context_id each : streams_[stream].contexts) {
    context_record& at = contexts_[each];
    if (at.held.empty() || at.held.back() != block) continue;
    cut(at, at.held.size() - 1, cause);
    stand(each);
  }
}

bool lifecycle_policy::goes_on(const context_record& at, std::span<const block_index> chain) const {
  if (chain.empty()) return true;
  const block_index parent = blocks_[chain.front()].parent;
  if (at.held.empty() || parent != no_block) return parent == (at.held.empty() ? no_block : at.held.back());
  return common_prefix(at.held, chain) == std::min(at.held.size(), chain.size());
}

void lifecycle_policy::give_up(std::span<const block_index> chain) {
  for (const block_index block : chain)
    if (blocks_[block].claims == 0 && blocks_[block].is_idle) blocks_.prepend(block);
}

void lifecycle_policy::demoted(stream_id stream, block_index block, instant now) {
  blocks_.store(block, no_block);
  blocks_[block].is_idle = true;
  if (stream >= streams_.size() || streams_[stream].contexts.empty()) return enqueue_unclaimed(block);
  const context_id current = streams_[stream].contexts.back();
  contexts_[current].held.push_front(block);
  claim(contexts_[current], block);
  if (!standings_.contains(current)) rank(current, now);
}

void lifecycle_policy::turn_finished(const turn_finish& how, instant now) {
  if (how.stream >= streams_.size() || streams_[how.stream].contexts.empty()) return;
  advance(now);
  stream_record& stream = streams_[how.stream];
  for (const context_id each : stream.contexts) {
    context_record& at = contexts_[each];
    if (at.turn != how.turn || at.waits.leading == wait_kind::superseded) continue;
    models_.finish(at.waits, how, stream.pace, now);
    rank(each, now);
  }
}

void lifecycle_policy::foretold(stream_id stream, std::optional<std::uint64_t> turn, bool is_leaving, instant now) {
  if (stream >= streams_.size()) return;
  advance(now);
  for (const context_id each : streams_[stream].contexts) {
    if (turn && contexts_[each].turn != *turn) continue;
    contexts_[each].is_leaving = is_leaving;
    rank(each, now);
  }
}

std::size_t lifecycle_policy::blocks_of_its_own(context_record& at) const {
  if (std::exchange(at.own_as_of, sharings_) == sharings_) return at.own;
  const auto shared = std::find_if(at.held.rbegin(), at.held.rend(), [&](block_index block) { return blocks_[block].claims > 1; });
  at.own = static_cast<std::uint32_t>(shared - at.held.rbegin());
  return at.own;
}

std::vector<context_outlook> lifecycle_policy::take_outlooks(std::uint32_t blocks, std::uint32_t slack, instant now) {
  advance(now);
  stand_anew();
  is_asked_ = true;
  std::size_t counted = 0;
  std::optional<standing> stays;  // and all that stand above it
  standings_.visit_in_order([&](context_id which) {
    context_record& at = contexts_[which];
    const bool is_pinned = standings_.key(which).rank > rank_max;
    if (is_pinned || counted >= std::size_t{blocks} + slack) {
      stays = standings_.key(which);
      return false;
    }
    if (!blocks_[at.held.back()].is_idle) return true;
    if (counted < blocks && !std::exchange(at.is_leaving, true)) untold_.push_back(which);
    counted += std::max(blocks_of_its_own(at), std::size_t{1});
    return true;
  });
  std::vector<context_outlook> told;
  const auto tell = [&](const context_record& at) { told.push_back({at.stream, at.turn, at.is_leaving, {at.held.begin(), at.held.end()}}); };
  std::erase_if(leaving_, [&](context_id which) {
    context_record& at = contexts_[which];
    if (!at.is_leaving) return true;
    if (at.is_cut || !stays || !standings_.contains(which) || standings_.key(which) < *stays) return false;
    at.is_leaving = false;
    tell(at);
    return true;
  });
  for (const context_id which : std::exchange(untold_, {})) {
    if (!contexts_[which].is_leaving) continue;
    tell(contexts_[which]);
    leaving_.push_back(which);
  }
  return told;
}

void lifecycle_policy::forget_outlooks() {
  for (context_record& each : contexts_) each.is_leaving = each.is_cut = false;
  leaving_.clear();
  untold_.clear();
  is_asked_ = false;
}

void lifecycle_policy::died(stream_id stream, eviction_cause cause, instant) {
  if (stream >= streams_.size()) return;
  for (const context_id each : streams_[stream].contexts) forget(each, cause);
  streams_[stream] = {};
}

void lifecycle_policy::rank(context_id which, instant now) {
  context_record& at = contexts_[which];
  const instant change = models_.advance(at.waits, now);
  change == instant{0} ? changes_.erase(which) : changes_.put(which, change);
  const bool is_above = is_below_ && !at.is_leaving;
  at.worth = is_above ? -1 : static_cast<float>(models_.worth(at.waits));
  stand(which);
}

void lifecycle_policy::stand(context_id which) {
  const context_record& at = contexts_[which];
  at.held.empty() ? standings_.erase(which, at.tenant) : standings_.put(which, {blocks_[at.held.back()].rank, at.worth, at.started}, at.tenant);
}

void lifecycle_policy::advance(instant now) {
  while (!changes_.empty() && changes_.key(changes_.first()) <= now) rank(changes_.first(), now);
}

void lifecycle_policy::stand_anew() {
  // A mark may change a whole chain, of which few blocks end a context: one look at the contexts is less than one per block.
  if (!std::exchange(is_claim_reranked_, false)) return;
  for (context_id each = 0; each < contexts_.size(); ++each)
    if (standings_.contains(each) && standings_.key(each).rank != blocks_[contexts_[each].held.back()].rank) stand(each);
}

block_index lifecycle_policy::first_unclaimed(const question& asked) const {
  return asked.tenant ? blocks_.first(*asked.tenant) : blocks_.first();
}

lifecycle_policy::context_id lifecycle_policy::least(const question& asked) const {
  if (asked.tenant) return standings_.empty(*asked.tenant) ? no_context : standings_.first(*asked.tenant);
  return standings_.empty() ? no_context : standings_.first();
}

eviction lifecycle_policy::victim(const question& asked, instant now) {
  advance(now);
  stand_anew();
  for (;;) {
    const block_index unclaimed = first_unclaimed(asked);
    const context_id worst = least(asked);
    if (worst == no_context) return {unclaimed, unclaimed == no_block ? eviction_cause::capacity : blocks_[unclaimed].cause};
    context_record& at = contexts_[worst];
    const resident_block& last = blocks_[at.held.back()];
    if (unclaimed != no_block && blocks_[unclaimed].rank <= last.rank) return {unclaimed, blocks_[unclaimed].cause};
    if (!last.is_idle && last.claims == 1) {  // shared ones are given up at once: others keep them
      standings_.erase(worst, at.tenant);
      in_use_.push_back(worst);
      continue;
    }
    if (asked.competing < streams_.size() && !streams_[asked.competing].contexts.empty() &&
        std::pair(asked.rank, contexts_[streams_[asked.competing].contexts.back()].worth) <= std::pair(last.rank, at.worth))
      return {};
    if (last.rank > rank_max) return {};  // everything that is left is pinned
    if (is_asked_ && !std::exchange(at.is_leaving, true)) untold_.push_back(worst);
    at.is_cut = true;
    cut(at, at.held.size() - 1, eviction_cause::capacity);
    stand(worst);
  }
}

}  // namespace troupe::core
