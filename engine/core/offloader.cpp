#include "engine/core/offloader.hpp"

#include <algorithm>
#include <ranges>

#include "messages/base/limits.hpp"

namespace troupe::core {

void offloader::note(std::span<const block_event> events) {
  for (const auto& event : events) {
    const auto& hash = event.block.hash;
    if (event.what != block_event::kind::stored) {
      withheld_.erase(hash);
      settled_.erase(hash.low);
    } else if (below_.erase(hash.low) == 0) {
      queue_.push_back(hash);
    } else {
      settled_.insert(hash.low);
    }
  }
  // Without a tier that answers, the queue would grow by what has long left the device.
  if (queue_.size() > 2 * std::size_t{pool_.block_count()})
    std::erase_if(queue_, [&](const block_hash& hash) { return !pool_.is_cached(hash); });
}

void offloader::note_use(std::span<const block_identity> chain) {
  if (withheld_.empty()) return;
  for (const auto& used : chain)
    if (withheld_.erase(used.hash) > 0) queue_.push_back(used.hash);
}

std::optional<slot_request> offloader::offer(instant now) {
  if (!batch_.empty() && !ticket_ && now >= offered_at_ + instant{limits::tier_wait}) {
    for (const block_index block : batch_ | std::views::reverse) queue_.push_front(pool_.describe(block).identity.hash);
    give_up();
  }
  if (!batch_.empty()) return std::nullopt;
  slot_request request;
  has_leaving_ = !leaving_.empty();
  while (batch_.size() < limits::offload_blocks_max && !(leaving_.empty() && queue_.empty())) {
    auto& next = leaving_.empty() ? queue_ : leaving_;
    const block_index block = pool_.find(next.front());
    next.pop_front();
    if (block == no_block) {
      ++counts_.blocks_missed;
      continue;
    }
    if (is_settled(block) || is_offered(block)) continue;
    auto owners = pool_.owners(block);
    const auto held = pool_.describe(block);
    if (owners.empty()) {  // it ends with its last use
      settled_.insert(held.identity.hash.low);
      continue;
    }
    if (pool_.lowest_tier(block) < tier_level::host) {
      withheld_.insert(held.identity.hash);
      continue;
    }
    request.blocks.push_back({held.identity, held.parent, {held.tokens.begin(), held.tokens.end()}, held.role, std::move(owners), pool_.rank(block), held.tenant});
    pool_.lease(block);
    batch_.push_back(block);
  }
  if (batch_.empty()) return std::nullopt;
  request.transfer = ++transfer_;
  offered_at_ = now;
  return request;
}

bool offloader::is_settled(block_index cached) const { return settled_.contains(pool_.describe(cached).identity.hash.low); }

bool offloader::is_offered(block_index block) const { return std::ranges::find(batch_, block) != batch_.end(); }

std::vector<block_index> offloader::hasten(std::span<const block_index> chain, std::size_t count_max) {
  std::vector<block_index> waiting;
  std::vector<block_hash> next;
  for (const block_index block : chain) {
    const auto& hash = pool_.describe(block).identity.hash;
    const bool is_done = settled_.contains(hash.low) || below_.contains(hash.low) || pool_.lowest_tier(block) < tier_level::host;
    if (is_done || waiting.size() == count_max) continue;
    waiting.push_back(block);
    if (!is_offered(block)) next.push_back(hash);
  }
  for (auto* from : {&queue_, &leaving_})
    std::erase_if(*from, [&](const block_hash& hash) { return std::ranges::find(next, hash) != next.end(); });
  leaving_.insert(leaving_.begin(), next.begin(), next.end());
  return waiting;
}

void offloader::offer_again(std::span<const block_index> chain) {
  std::unordered_set<block_hash> waiting;
  for (const block_index block : chain) {
    const auto& hash = pool_.describe(block).identity.hash;
    if (is_offered(block)) {
      again_.push_back(hash);  // it may be refused yet
    } else if (!settled_.contains(hash.low)) {
      if (!queue_.empty()) waiting.insert(hash);
    } else if (is_full_) {
      settled_.erase(hash.low);
      leaving_.push_back(hash);
    }
  }
  if (waiting.empty()) return;
  const auto named = std::ranges::stable_partition(queue_, [&](const block_hash& hash) { return !waiting.contains(hash); });
  leaving_.insert(leaving_.end(), named.begin(), named.end());
  queue_.erase(named.begin(), named.end());
}

void offloader::granted(const slot_grant& grant) {
  if (batch_.empty() || ticket_ || grant.transfer != transfer_ || grant.slots.size() != batch_.size()) {
    refused_.push_back({grant.transfer, false, {}});  // it came too late: its slots must not wait for us
    return;
  }
  transfer_plan plan;
  for (std::size_t i = 0; i < batch_.size(); ++i)
    if (grant.slots[i] != nullptr) plan.moves.push_back({batch_[i], grant.slots[i]});
  copying_ = static_cast<std::uint32_t>(plan.moves.size());
  keeps_ = grant.keeps;
  is_full_ |= grant.is_full;
  ticket_ = device_.submit(std::move(plan));
}

std::optional<slot_commit> offloader::complete(ticket_id ticket, const step_result& result) {
  if (ticket_ != ticket) return std::nullopt;
  slot_commit commit{transfer_, result.status == errc::none, {}};
  for (const block_index block : batch_) commit.owners.push_back(pool_.owners(block));
  if (!std::exchange(is_stale_, false))  // a copy that has failed is not tried again: the device may fail on
    for (const block_index block : batch_) settled_.insert(pool_.describe(block).identity.hash.low);
  for (const auto& hash : std::exchange(again_, {}))
    if (is_full_ && settled_.erase(hash.low) > 0) leaving_.push_back(hash);
  if (commit.is_complete) {
    counts_.blocks_offloaded += copying_;
    counts_.bytes_offloaded += copying_ * device_.traits().block_bytes;
  }
  give_up();
  return commit;
}

void offloader::give_up() {
  for (const block_index block : batch_ | std::views::reverse) pool_.release(block);
  batch_.clear();
  ticket_.reset();
  keeps_.reset();
}

void offloader::tier_changed() {
  is_stale_ = ticket_.has_value();
  if (!ticket_) give_up();  // else when its copy is complete; nobody will know its commit
  ++transfer_;
  refused_.clear();
  queue_.clear();
  leaving_.clear();
  again_.clear();
  withheld_.clear();
  below_.clear();
  settled_.clear();
  is_full_ = false;
  for (const auto& event : pool_.snapshot()) queue_.push_back(event.block.hash);
}

offloader_counts offloader::counts() const noexcept {
  auto counts = counts_;
  counts.waiting = static_cast<std::uint32_t>(queue_.size() + leaving_.size());
  return counts;
}

void offloader::count_leases(std::vector<std::uint32_t>& leases) const {
  for (const block_index block : batch_) ++leases[block];
}

}  // namespace troupe::core
