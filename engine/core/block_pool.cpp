#include "engine/core/block_pool.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "engine/core/block_pool_state.hpp"

namespace troupe::core {

block_pool::state::state(const block_pool_options& chosen)
    : options(chosen),
      records(chosen.block_count),
      tokens(std::size_t{chosen.block_count} * chosen.block_tokens),
      by_hash(chosen.block_count),
      owners(chosen.block_count) {
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
    unlink_idle(block);
    block = records[block].parent;
  }
}

void block_pool::state::end_use(block_index block) {
  while (block != no_block && --records[block].uses == 0) {
    const block_index parent = records[block].parent;
    if (owners.count(block) == 0 && records[block].children == 0) {
      uncache(block);
      ++freed_by_death;
    } else {
      push_idle(block);
    }
    block = parent;
  }
}

void block_pool::state::push_idle(block_index block) {
  block_record& record = records[block];
  record.previous = std::exchange(idle_last, block);
  record.next = no_block;
  (record.previous == no_block ? idle_first : records[record.previous].next) = block;
  ++idle;
}

void block_pool::state::push_idle_first(block_index block) {
  block_record& record = records[block];
  record.previous = no_block;
  record.next = std::exchange(idle_first, block);
  (record.next == no_block ? idle_last : records[record.next].previous) = block;
  ++idle;
}

void block_pool::state::unlink_idle(block_index block) {
  block_record& record = records[block];
  (record.previous == no_block ? idle_first : records[record.previous].next) = record.next;
  (record.next == no_block ? idle_last : records[record.next].previous) = record.previous;
  record.previous = record.next = no_block;
  --idle;
}

void block_pool::state::uncache(block_index block) {
  block_record& record = records[block];
  events.push_back({block_event::kind::removed, record.identity, {}});
  by_hash.erase(record.identity.hash.low, block);
  owners.forget_block(block);
  if (record.parent != no_block) --records[record.parent].children;
  record = {};
  --cached;
  free_blocks.push_back(block);
}

void block_pool::state::own(owner_id owner, block_index block) {
  while (block != no_block && owners.add(owner, block)) block = records[block].parent;
}

block_index block_pool::state::take_block() {
  if (free_blocks.empty()) {
    const block_index victim = idle_first;
    unlink_idle(victim);
    uncache(victim);
    ++evicted;
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
  std::ranges::copy(content, tokens_of(block).begin());
  by_hash.insert(identity.hash.low, block);
  ++cached;
  ++stored;
  events.push_back({block_event::kind::stored, identity, parent});
}

block_pool::block_pool(const block_pool_options& options) : state_(std::make_unique<state>(options)) {}
block_pool::~block_pool() = default;
block_pool::block_pool(block_pool&&) noexcept = default;
block_pool& block_pool::operator=(block_pool&&) noexcept = default;

std::uint32_t block_pool::acquire_prefix(std::span<const block_identity> chain, block_hash root, std::span<const token_id> tokens,
                                         owner_id owner, std::vector<block_index>& table) {
  state& s = *state_;
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
  return matched;
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
    found.idle += s.records[block].uses == 0;
  }
  return found;
}

bool block_pool::acquire_private(std::uint32_t count, std::vector<block_index>& table) {
  state& s = *state_;
  if (count > available()) return false;
  for (; count > 0; --count) {
    const block_index block = s.take_block();
    s.records[block].state = block_state::leased_private;
    s.records[block].leases = s.records[block].uses = 1;
    ++s.leased;
    table.push_back(block);
  }
  return true;
}

std::uint32_t block_pool::available() const noexcept { return static_cast<std::uint32_t>(state_->free_blocks.size()) + state_->idle; }

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
    release(block);
    return twin;
  }
  const block_index parent_block = parent.low == 0 ? no_block : s.find(parent);
  if (parent.low != 0 && parent_block == no_block) return block;
  s.store(block, identity, parent, parent_block, tokens);
  s.own(owner, block);
  return block;
}

void block_pool::release(block_index block) {
  state& s = *state_;
  block_record& record = s.records.at(block);
  if (record.leases == 0) throw std::logic_error("a lease was ended twice");
  if (--record.leases == 0) --s.leased;
  if (record.state == block_state::leased_private) {
    record = {};
    s.free_blocks.push_back(block);
  } else {
    s.end_use(block);
  }
}

std::uint32_t block_pool::release_owner(owner_id owner) {
  state& s = *state_;
  std::vector<block_index> unowned;
  s.owners.release(owner, unowned);
  const std::uint64_t before = s.freed_by_death;
  for (block_index block : unowned) {  // each leaf takes the unowned blocks above it along; others are reached from their leaves
    while (block != no_block && s.records[block].state == block_state::cached && s.records[block].uses == 0 &&
           s.records[block].children == 0 && s.owners.count(block) == 0) {
      const block_index parent = s.records[block].parent;
      s.unlink_idle(block);
      s.uncache(block);
      ++s.freed_by_death;
      block = parent;
    }
  }
  return static_cast<std::uint32_t>(s.freed_by_death - before);
}

block_pool::cached_block block_pool::describe(block_index block) const {
  const block_record& record = state_->records.at(block);
  return {record.identity, record.parent_hash, std::as_const(*state_).tokens_of(block)};
}

std::vector<owner_id> block_pool::owners(block_index block) const { return state_->owners.of(block); }
std::uint32_t block_pool::owner_count(block_index block) const noexcept { return state_->owners.count(block); }
std::vector<block_index> block_pool::blocks_of(owner_id owner) const { return state_->owners.of(owner); }
void block_pool::own(block_index block, owner_id owner) { state_->own(owner, block); }
void block_pool::lease(block_index block) { state_->lease(block); }

std::uint32_t block_pool::demote_owner(owner_id owner) {
  state& s = *state_;
  auto blocks = s.owners.of(owner);
  std::erase_if(blocks, [&](block_index block) { return s.records[block].uses > 0 || s.owners.count(block) > 1; });
  // To the front one by one, parents first: what is put there last is the first to leave, and it is a leaf. Whoever owns a child owns its
  // parent, so no block stays behind with its child before it.
  std::ranges::sort(blocks, {}, [&](block_index block) { return s.records[block].depth; });
  for (const block_index block : blocks) {
    s.unlink_idle(block);
    s.push_idle_first(block);
  }
  return static_cast<std::uint32_t>(blocks.size());
}

block_index block_pool::find(const block_hash& hash) const { return state_->find(hash); }
bool block_pool::is_cached(const block_hash& hash) const { return state_->find(hash) != no_block; }
std::uint32_t block_pool::leases(block_index block) const noexcept { return state_->records[block].leases; }
std::uint32_t block_pool::block_count() const noexcept { return state_->options.block_count; }
std::uint32_t block_pool::block_tokens() const noexcept { return state_->options.block_tokens; }

std::vector<block_event> block_pool::take_events() { return std::exchange(state_->events, {}); }

}  // namespace troupe::core
