// What can be asked of a block pool without changing it: counts, the snapshot, and the proof that its structure holds.
#include <algorithm>
#include <string>

#include "engine/core/block_pool_state.hpp"

namespace troupe::core {

namespace {

using violation = std::optional<std::string>;

std::string at(const char* what, block_index block) { return std::string(what) + ", block " + std::to_string(block); }

}  // namespace

block_pool_counts block_pool::counts() const noexcept {
  const state& s = *state_;
  return {.total = s.options.block_count,
          .free = static_cast<std::uint32_t>(s.free_blocks.size()),
          .leased = s.leased,
          .cached = s.cached,
          .pinned = s.intents.pinned(),
          .stored = s.stored,
          .hash_mismatches = s.hash_mismatches,
          .inherited = s.inherited,
          .by_role = s.by_role,
          .removed = s.removed};
}

std::vector<block_event> block_pool::snapshot() const {
  const state& s = *state_;
  std::vector<block_index> order;
  for (block_index block = 0; block < s.records.size(); ++block) {
    if (s.records[block].state == block_state::cached) order.push_back(block);
  }
  std::ranges::stable_sort(order, {}, [&](block_index block) { return s.records[block].depth; });
  std::vector<block_event> events;
  events.reserve(order.size());
  for (const block_index block : order) {
    events.push_back({block_event::kind::stored, s.records[block].identity, s.records[block].parent_hash});
  }
  return events;
}

namespace {

/// One record by itself and against its parent.
violation check_record(const std::vector<block_record>& records, block_index block) {
  const block_record& record = records[block];
  if (record.state == block_state::free && (record.leases != 0 || record.uses != 0)) return at("a free block is in use", block);
  if (record.state == block_state::leased_private && record.leases != 1) return at("a private block has not one lease", block);
  if (record.state != block_state::cached) return std::nullopt;
  if (record.parent == no_block) {
    if (record.parent_hash.low != 0) return at("a first block's parent is not a root", block);
    return record.depth == 0 ? violation{} : at("a first block is not at depth 0", block);
  }
  const block_record& parent = records[record.parent];
  if (parent.state != block_state::cached) return at("a cached block's parent is not cached", block);
  if (parent.identity.hash != record.parent_hash) return at("a block hangs below another parent than its own", block);
  if (record.depth != parent.depth + 1) return at("a block's depth is not its parent's + 1", block);
  return std::nullopt;
}

violation check_uses(const std::vector<block_record>& records) {
  std::vector<std::uint32_t> children(records.size()), uses(records.size());
  for (block_index block = 0; block < records.size(); ++block) {
    const block_record& record = records[block];
    uses[block] += record.leases;
    if (record.state != block_state::cached || record.parent == no_block) continue;
    ++children[record.parent];
    if (record.uses > 0) ++uses[record.parent];
  }
  for (block_index block = 0; block < records.size(); ++block) {
    if (records[block].children != children[block]) return at("child count is wrong", block);
    if (records[block].uses != uses[block]) return at("use count is wrong", block);
  }
  return std::nullopt;
}

/// Pins by tenant, where tenants have bounds.
violation check_pins(const std::vector<block_record>& records, const block_intents& intents) {
  std::vector<std::uint32_t> pins(intents.tenant_pins().size());
  for (block_index block = 0; block < records.size() && !pins.empty(); ++block)
    pins[records[block].tenant] += records[block].state == block_state::cached && intents.is_pinned(block);
  return pins == intents.tenant_pins() ? violation{} : std::string("the pins by tenant disagree with the blocks");
}

}  // namespace

std::optional<std::string> block_pool::check_integrity() const {
  const state& s = *state_;
  const auto& records = s.records;
  std::uint32_t idle = 0, idle_pinned = 0, leased = 0, cached = 0, listed_free = 0;
  std::array<std::uint32_t, block_roles> by_role{};
  std::vector<std::uint32_t> by_tenant(s.shares.blocks().size());
  for (block_index block = 0; block < records.size(); ++block) {
    const block_record& record = records[block];
    if (record.state != block_state::free && !by_tenant.empty()) ++by_tenant[record.tenant];
    if (auto found = check_record(records, block)) return found;
    const bool is_cached = record.state == block_state::cached;
    leased += record.leases > 0;
    cached += is_cached;
    idle += is_cached && record.uses == 0;
    idle_pinned += is_cached && record.uses == 0 && s.pinned[block];
    if (s.pinned[block] != s.intents.is_pinned(block)) return at("a block is pinned and not, or the other way round", block);
    if (!is_cached && s.owners.count(block) > 0) return at("a block that is not cached has owners", block);
    if (!is_cached) continue;
    ++by_role[static_cast<std::size_t>(record.role)];
    if (s.find(record.identity.hash) != block) return at("a cached block is not found under its hash", block);
    if (record.uses == 0 && s.owners.count(block) == 0) return at("an idle block has no owner", block);
    if (record.parent != no_block && !s.owners.covers(record.parent, block)) return at("an owner lacks the parent of its block", block);
  }
  if (auto found = check_uses(records)) return found;
  if (auto found = s.owners.check_integrity()) return found;
  if (leased != s.leased || cached != s.cached || cached != s.by_hash.size()) return std::string("block counts disagree with the blocks");
  if (by_tenant != s.shares.blocks() || !s.shares.is_consistent()) return std::string("the counts by tenant disagree with the blocks");
  if (auto found = check_pins(s.records, s.intents)) return found;
  if (by_role != s.by_role) return std::string("the counts by role disagree with the blocks");
  if (s.idle != idle || s.idle_pinned != idle_pinned) return std::string("the count of idle blocks disagrees with the blocks");
  std::vector<bool> seen(records.size());
  for (const block_index block : s.free_blocks) {
    if (records[block].state != block_state::free || seen[block]) return at("the free list holds a block twice or in use", block);
    seen[block] = true;
    ++listed_free;
  }
  const auto is_free = [](const block_record& record) { return record.state == block_state::free; };
  if (listed_free != std::ranges::count_if(records, is_free)) return std::string("a free block is missing from the free list");
  return std::nullopt;
}

}  // namespace troupe::core
