#include "engine/core/block_pool.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "engine/core/block_pool_state.hpp"

namespace troupe::core {
namespace {

/// Pins have a share of the pool, and a tenant's pins its share of that.
std::vector<std::uint32_t> tenant_pins_max(const block_pool_options& chosen) {
  std::vector<std::uint32_t> pins_max;
  if (has_bounds(chosen.tenants))
    for (const auto& each : chosen.tenants)
      pins_max.push_back(static_cast<std::uint32_t>(chosen.block_count * chosen.pinned_share_max * each.share_max));
  return pins_max;
}

}  // namespace

block_pool::state::state(const block_pool_options& chosen)
    : options(chosen),
      records(chosen.block_count),
      tokens(std::size_t{chosen.block_count} * chosen.block_tokens),
      by_hash(chosen.block_count),
      owners(chosen.block_count),
      shares(chosen.block_count, chosen.tenants),
      policy(make_retention_policy(chosen.retention, {.block_count = chosen.block_count,
                                                      .is_below = chosen.is_below,
                                                      .tenants = shares.is_bounded() ? chosen.tenants.size() : 0})),
      intents(chosen.block_count, static_cast<std::uint32_t>(chosen.block_count * chosen.pinned_share_max), tenant_pins_max(chosen)),
      pinned(chosen.block_count),
      ranks_by_role(chosen.retention == "priority") {
  if (!policy) throw std::invalid_argument("no retention policy is called " + chosen.retention);
  free_blocks.reserve(chosen.block_count);
  for (block_index block = chosen.block_count; block-- > 0;) free_blocks.push_back(block);
}

bool block_pool::state::equals(block_index block, const block_hash& parent, std::span<const token_id> content) const {
  return records[block].parent_hash == parent && std::ranges::equal(tokens_of(block), content);
}

block_index block_pool::state::find_verified(const block_hash& hash, const block_hash& parent, std::span<const token_id> content) {
  const block_index block = find(hash);
  if (block == no_block) return no_block;
  if (equals(block, parent, content)) return block;
  ++hash_mismatches;
  return no_block;
}

void block_pool::state::lease(block_index block) {
  if (records[block].leases++ == 0) ++leased;
  begin_use(block);
}

void block_pool::state::begin_use(block_index block) {
  while (block != no_block && records[block].uses++ == 0) {
    policy->busy({&block, 1});
    --idle;
    idle_pinned -= pinned[block];
    block = records[block].parent;
  }
}

void block_pool::state::end_use(block_index block) {
  while (block != no_block && --records[block].uses == 0) {
    const block_index parent = records[block].parent;
    if (owners.count(block) == 0 && records[block].children == 0) {
      ++idle;
      idle_pinned += pinned[block];
      uncache(block, records[block].unowned_by);
    } else {
      ++idle;
      idle_pinned += pinned[block];
      policy->idle({&block, 1}, now);
    }
    block = parent;
  }
}

void block_pool::state::uncache(block_index block, eviction_cause cause) {
  block_record& record = records[block];
  ++removed[static_cast<std::size_t>(cause)];
  --idle;
  idle_pinned -= pinned[block];
  pinned[block] = false;
  policy->removed(block);
  intents.removed(block);
  events.push_back({block_event::kind::removed, record.identity, {}});
  by_hash.erase(record.identity.hash.low, block);
  owners.forget_block(block);
  if (record.parent != no_block) --records[record.parent].children;
  --by_role[static_cast<std::size_t>(record.role)];
  free(block);
  --cached;
  take_ranks();
}

void block_pool::state::take_ranks() {
  for (const auto& [block, rank] : intents.take_changes()) {
    if (records[block].state != block_state::cached) continue;
    policy->ranked(block, rank_of(block, rank));
    const bool is_pinned = rank >= rank_pinned;
    if (is_pinned == pinned[block]) continue;
    pinned[block] = is_pinned;
    if (records[block].uses == 0) is_pinned ? ++idle_pinned : --idle_pinned;
  }
}

void block_pool::state::evict(const eviction& gone) { uncache(gone.block, gone.cause); }

void block_pool::state::free(block_index block) {
  shares.give(records[block].tenant);
  records[block] = {};
  free_blocks.push_back(block);
}

block_index block_pool::state::lease_private(block_index block, tenant_index tenant) {
  records[block].tenant = tenant;
  shares.take(tenant);
  records[block].state = block_state::leased_private;
  records[block].leases = records[block].uses = 1;
  ++leased;
  return block;
}

void block_pool::state::own(owner_id owner, block_index block) {
  while (block != no_block && owners.add(owner, block)) block = records[block].parent;
}

block_index block_pool::state::take_block(tenant_index tenant) {
  if (free_blocks.empty()) {
    const eviction gone = victim({}, tenant);
    if (gone.block == no_block) throw std::logic_error("no idle block may leave");
    evict(gone);
  }
  const block_index block = free_blocks.back();
  free_blocks.pop_back();
  return block;
}

void block_pool::state::store(block_index block, const block_identity& identity, const block_hash& parent, block_index parent_block,
                              std::span<const token_id> content) {
  block_record& record = records[block];
  record.identity = identity;
  record.parent_hash = parent;
  record.parent = parent_block;
  record.state = block_state::cached;
  if (parent_block != no_block) {
    record.depth = records[parent_block].depth + 1;
    ++records[parent_block].children;
    begin_use(parent_block);  // the block is leased: its parent has one more child in use
  }
  policy->stored(block, parent_block);
  if (shares.is_bounded()) policy->belongs(block, record.tenant);
  intents.stored(block, parent_block, identity.hash, record.tenant);
  take_ranks();
  std::ranges::copy(content, tokens_of(block).begin());
  by_hash.insert(identity.hash.low, block);
  ++cached;
  ++stored;
  ++by_role[static_cast<std::size_t>(record.role)];
  events.push_back({block_event::kind::stored, identity, parent});
}

block_pool::block_pool(const block_pool_options& options) : state_(std::make_unique<state>(options)) {}
block_pool::~block_pool() = default;
block_pool::block_pool(block_pool&&) noexcept = default;
block_pool& block_pool::operator=(block_pool&&) noexcept = default;

std::uint32_t block_pool::acquire_prefix(std::span<const block_identity> chain, block_hash root, std::span<const token_id> tokens,
                                         owner_id owner, std::vector<block_index>& table, const turn_opening* opening) {
  state& s = *state_;
  const std::size_t held = table.size();
  const std::size_t width = s.options.block_tokens;
  const std::size_t limit = std::min(chain.size(), tokens.size() / width);
  std::uint32_t matched = 0;
  for (block_hash parent = root; matched < limit; parent = chain[matched++].hash) {
    const block_index block = s.find_verified(chain[matched].hash, parent, tokens.subspan(matched * width, width));
    if (block == no_block) break;
    s.lease(block);
    s.own(owner, block);
    table.push_back(block);
  }
  const auto found = std::span<const block_index>(table).subspan(held);
  if (opening != nullptr) s.open_turn(owner, *opening, found);
  s.claim(owner, found);
  return matched;
}

void block_pool::set_time(instant now) {
  state_->now = now;
  state_->intents.expire(now);
  state_->take_ranks();
}

intent_result block_pool::apply(const block_intents::intent& all) {
  state& s = *state_;
  const auto applied = s.intents.apply(all, s.now, [&s](const block_hash& hash) { return s.find(hash); });
  s.take_ranks();
  return applied;
}

tier_level block_pool::lowest_tier(block_index block) const {
  const state& s = *state_;
  if (s.lowest_tiers.empty()) return tier_level::remote;
  tier_level lowest = tier_level::device;
  for (const owner_id owner : s.owners.of(block)) {
    const auto known = s.lowest_tiers.find(owner);
    lowest = std::max(lowest, known == s.lowest_tiers.end() ? tier_level::remote : known->second);
  }
  return lowest;
}

block_pool::prefix_peek block_pool::peek_prefix(std::span<const block_identity> chain, block_hash root,
                                                std::span<const token_id> tokens) const {
  const state& s = *state_;
  const std::size_t width = s.options.block_tokens;
  const std::size_t limit = std::min(chain.size(), tokens.size() / width);
  prefix_peek found;
  for (block_hash parent = root; found.matched < limit; parent = chain[found.matched++].hash) {
    const block_index block = s.find(chain[found.matched].hash);
    if (block == no_block || !s.equals(block, parent, tokens.subspan(found.matched * width, width))) break;
    found.idle += s.records[block].uses == 0 && !s.pinned[block];
  }
  return found;
}

bool block_pool::acquire_private(std::uint32_t count, std::vector<block_index>& table, tenant_index tenant) {
  state& s = *state_;
  tenant = s.shares.known(tenant);
  if (count > available()) return false;
  for (; count > 0; --count) table.push_back(s.lease_private(s.take_block(tenant), tenant));
  return true;
}

std::uint32_t block_pool::acquire_worthwhile(std::uint32_t count, const newcomer& comes, std::vector<block_index>& table) {
  state& s = *state_;
  const tenant_index tenant = s.shares.known(comes.tenant);
  std::uint32_t taken = 0;
  for (; taken < count && available() > 0; ++taken) {
    if (s.free_blocks.empty()) {
      const eviction gone = s.victim({s.stream_of(comes.owner), comes.depth + taken, comes.rank}, tenant);
      if (gone.block == no_block) break;
      s.evict(gone);
    }
    table.push_back(s.lease_private(s.take_block(tenant), tenant));
  }
  return taken;
}

std::uint32_t block_pool::available() const noexcept { return static_cast<std::uint32_t>(state_->free_blocks.size()) + state_->idle - state_->idle_pinned; }

block_index block_pool::publish(block_index block, const block_identity& identity, block_hash parent, std::span<const token_id> tokens,
                                owner_id owner, publish_options options) {
  state& s = *state_;
  if (s.records.at(block).state == block_state::cached) return block;
  if (s.records[block].state == block_state::free) throw std::logic_error("a free block was published");
  if (tokens.size() != s.options.block_tokens) throw std::logic_error("an incomplete block was published");
  if (s.find(identity.hash) != no_block) {
    const block_index twin = s.find_verified(identity.hash, parent, tokens);
    if (twin == no_block || !options.may_swap) return block;
    s.lease(twin);
    s.own(owner, twin);
    s.note_role(twin, options.role);
    s.claim(owner, {&twin, 1});
    release(block);
    return twin;
  }
  const block_index parent_block = parent.low == 0 ? no_block : s.find(parent);
  if (parent.low != 0 && parent_block == no_block) return block;
  s.store(block, identity, parent, parent_block, tokens);
  s.note_role(block, options.role);
  s.own(owner, block);
  s.claim(owner, {&block, 1});
  return block;
}

void block_pool::release(block_index block) {
  state& s = *state_;
  block_record& record = s.records.at(block);
  if (record.leases == 0) throw std::logic_error("a lease was ended twice");
  if (--record.leases == 0) --s.leased;
  if (record.state == block_state::leased_private) {
    s.free(block);
  } else {
    s.end_use(block);
  }
}

std::uint32_t block_pool::release_owner(owner_id owner, eviction_cause cause) {
  state& s = *state_;
  if (auto stream = s.streams.extract(owner)) {
    s.policy->died(stream.mapped(), cause, s.now);
    s.free_streams.push_back(stream.mapped());
  }
  s.intents.release(owner);
  s.take_ranks();
  s.lowest_tiers.erase(owner);
  std::vector<block_index> unowned;
  s.owners.release(owner, unowned);
  for (const block_index block : unowned) s.records[block].unowned_by = cause;
  const std::uint32_t before = s.cached;
  for (block_index block : unowned) {  // each leaf takes the unowned blocks above it along; others are reached from their leaves
    while (block != no_block && s.records[block].state == block_state::cached && s.records[block].uses == 0 &&
           s.records[block].children == 0 && s.owners.count(block) == 0) {
      const block_index parent = s.records[block].parent;
      s.uncache(block, cause);
      block = parent;
    }
  }
  return before - s.cached;
}

std::uint32_t block_pool::forget(owner_id owner, std::span<const block_identity> chain, eviction_cause cause) {
  state& s = *state_;
  const stream_id stream = s.stream_of(owner);
  const std::uint32_t before = s.cached;
  std::uint32_t left_behind = 0;  // children that stay: the block before, in use or somebody else's too
  for (std::size_t i = chain.size(); i-- > 0;) {
    const block_index block = s.find(chain[i].hash);
    if (block == no_block) continue;
    if (s.records[block].children > left_behind || !s.owners.remove(owner, block)) break;
    if (stream != no_stream) s.policy->abandoned(stream, block, cause);
    const bool is_unowned = s.owners.count(block) == 0;
    if (is_unowned) s.records[block].unowned_by = cause;
    left_behind = is_unowned && s.records[block].uses == 0 && s.records[block].children == 0 ? 0 : 1;
    if (left_behind == 0) s.uncache(block, cause);
  }
  return before - s.cached;
}

block_pool::cached_block block_pool::describe(block_index block) const {
  const block_record& record = state_->records.at(block);
  return {record.identity, record.parent_hash, std::as_const(*state_).tokens_of(block), record.role, record.tenant};
}

std::vector<owner_id> block_pool::owners(block_index block) const { return state_->owners.of(block); }
std::uint8_t block_pool::rank(block_index block) const noexcept { return state_->rank_of(block, state_->intents.rank_of(block)); }
std::uint32_t block_pool::owner_count(block_index block) const noexcept { return state_->owners.count(block); }
std::vector<block_index> block_pool::blocks_of(owner_id owner) const {
  auto blocks = state_->owners.of(owner);
  std::ranges::sort(blocks, {}, [this](block_index block) { return state_->records[block].depth; });
  return blocks;
}
void block_pool::own(block_index block, owner_id owner) {
  state_->own(owner, block);
  state_->claim(owner, {&block, 1});
}
void block_pool::lease(block_index block) { state_->lease(block); }

std::uint32_t block_pool::demote_owner(owner_id owner) {
  state& s = *state_;
  auto blocks = s.owners.of(owner);
  std::erase_if(blocks, [&](block_index block) { return s.records[block].uses > 0 || s.owners.count(block) > 1; });
  // Whoever owns a child owns its parent, so no block stays behind with its child before it.
  std::ranges::sort(blocks, {}, [&](block_index block) { return s.records[block].depth; });
  if (const stream_id stream = s.stream_of(owner); stream != no_stream) s.policy->died(stream, eviction_cause::capacity, s.now);
  s.policy->give_up(blocks);
  return static_cast<std::uint32_t>(blocks.size());
}

block_index block_pool::find(const block_hash& hash) const { return state_->find(hash); }
bool block_pool::is_cached(const block_hash& hash) const { return state_->find(hash) != no_block; }
std::uint32_t block_pool::leases(block_index block) const noexcept { return state_->records[block].leases; }
std::uint32_t block_pool::block_count() const noexcept { return state_->options.block_count; }
std::uint32_t block_pool::block_tokens() const noexcept { return state_->options.block_tokens; }

std::vector<block_event> block_pool::take_events() { return std::exchange(state_->events, {}); }

}  // namespace troupe::core
