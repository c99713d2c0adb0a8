#include "engine/core/host_pool.hpp"

#include <algorithm>
#include <ranges>
#include <span>

#include "messages/base/limits.hpp"

namespace troupe::core {

namespace {

const turn_opening* address_of(const std::optional<turn_opening>& opening) { return opening ? &*opening : nullptr; }

}  // namespace

expected<std::unique_ptr<host_pool>> host_pool::make(const host_pool_options& options) {
  if (options.block_count == 0 || options.block_tokens == 0 || options.block_bytes == 0)
    return failure{errc::invalid_request, "a host tier needs blocks that have tokens and bytes", "block_count"};
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(options.block_bytes, std::uint64_t{options.block_count}, &bytes)) bytes = UINT64_MAX;
  auto memory = memory_region::allocate(bytes);
  if (!memory) return memory.error();
  return std::unique_ptr<host_pool>(new host_pool(options, std::make_shared<memory_region>(std::move(*memory))));
}

host_pool::host_pool(const host_pool_options& options, std::shared_ptr<memory_region> memory)
    : options_(options), memory_(std::move(memory)), pool_({options.block_count, options.block_tokens, options.retention, options.pinned_share_max, true, options.tenants}), offered_to_(options.block_count, tier_level::host), was_shared_(options.block_count, false) {}

/// Nothing is displaced for a block that could not be stored: its parent must be here or come with it.
block_index host_pool::reserve(const tier_block& offered, std::span<const block_hash> granted) {
  std::vector<block_index> slot;
  const bool has_parent =
      offered.parent.low == 0 || pool_.is_cached(offered.parent) || std::ranges::find(granted, offered.parent) != granted.end();
  if (has_parent && offered.tokens.size() == options_.block_tokens)
    for (const owner_id owner : offered.owners)
      if (pool_.acquire_worthwhile(1, {.owner = owner, .rank = offered.rank, .tenant = offered.tenant}, slot) == 1) return slot.front();
  ++refused_;
  return no_block;
}

slot_grant host_pool::reserve(client_id client, const slot_request& request) {
  slot_grant grant{request.transfer, {}, memory_};
  writing begun{request, {}};
  std::vector<block_hash> granted;
  const auto refused_before = refused_;
  for (const auto& offered : request.blocks) {
    const block_index slot = pool_.is_cached(offered.identity.hash) ? no_block : reserve(offered, granted);
    if (slot != no_block) granted.push_back(offered.identity.hash);
    begun.slots.push_back(slot);
    grant.slots.push_back(slot == no_block ? nullptr : address(slot));
  }
  grant.is_full = refused_ > refused_before || pool_.counts().free == 0;
  // Said twice under one number: the first slots are given up.
  commit(client, {request.transfer, false, {}});
  writing_.emplace(key{client, request.transfer}, std::move(begun));
  return grant;
}

/// Returns the block that the slot's lease is on now: a twin's, if another worker has stored it meanwhile.
block_index host_pool::store(block_index slot, const tier_block& block, const std::vector<owner_id>& owners) {
  if (slot != no_block && !owners.empty()) {
    const block_index own = slot;
    slot = pool_.publish(slot, block.identity, block.parent, block.tokens, owners.front(), {.role = block.role});
    if (slot == own) offered_to_[own] = tier_level::host, was_shared_[own] = false;
  }
  const block_index held = pool_.find(block.identity.hash);
  blocks_in_ += slot != no_block && held == slot;
  refused_ += slot != no_block && held == no_block;
  if (held != no_block)
    for (const owner_id owner : owners) pool_.own(held, owner);
  return slot;
}

void host_pool::commit(client_id client, const slot_commit& commit) {
  const auto found = writing_.find({client, commit.transfer});
  if (found == writing_.end()) return;
  const auto& [request, slots] = found->second;
  auto table = slots;
  if (commit.is_complete && commit.owners.size() == slots.size())
    for (std::size_t i = 0; i < slots.size(); ++i) table[i] = store(slots[i], request.blocks[i], commit.owners[i]);
  release(table);
  writing_.erase(found);
}

lease_grant host_pool::lease(client_id client, const lease_request& request) {
  end(client, {request.number});
  std::vector<block_index> table;
  const auto& chain = *request.chain;
  pool_.acquire_prefix(chain.blocks, chain.root, chain.tokens, request.owner, table, address_of(request.opening));
  pool_.note_roles(table, chain.roles);
  note_opening(client, request.owner, request.opening);
  note_use(table);
  lease_grant grant{request.number, request.id, request.from, {}, nullptr};
  if (table.size() <= request.from) {
    release(table);
    return grant;
  }
  for (const block_index block : std::span(table).subspan(request.from)) {
    grant.slots.push_back(address(block));
    grant.roles.push_back(pool_.describe(block).role);
  }
  grant.keeps = memory_;
  blocks_out_ += grant.slots.size();
  reading_.emplace(key{client, request.number}, std::move(table));
  return grant;
}

void host_pool::end(client_id client, const lease_end& ended) {
  if (auto held = reading_.extract({client, ended.number})) release(held.mapped());
}

/// A turn whose end nobody tells ends with its worker, and what it has left on the device is gone.
void host_pool::note_opening(client_id client, owner_id owner, const std::optional<turn_opening>& opening) {
  if (!opening) return;
  auto& open = open_turns_[owner];
  std::erase_if(open, [client](const open_turn& each) { return each.client == client; });
  open.push_back({client, opening->turn});
}

void host_pool::touch(client_id client, const chain_touch& touched) {
  std::vector<block_index> table;
  note_opening(client, touched.owner, touched.opening);
  pool_.acquire_prefix(touched.chain->blocks, touched.chain->root, touched.chain->tokens, touched.owner, table, address_of(touched.opening));
  pool_.note_roles(table, touched.chain->roles);
  note_use(table);
  release(table);
}

void host_pool::forget(client_id client) {
  const auto is_of_client = [client](const auto& entry) { return entry.first.first == client; };
  for (auto at = std::ranges::find_if(writing_, is_of_client); at != writing_.end(); at = std::ranges::find_if(writing_, is_of_client))
    commit(client, {at->first.second, false, {}});
  for (auto at = std::ranges::find_if(reading_, is_of_client); at != reading_.end(); at = std::ranges::find_if(reading_, is_of_client))
    end(client, {at->first.second});
  for (auto& [owner, open] : open_turns_) {
    const auto gone = std::ranges::find(open, client, &open_turn::client);
    if (gone == open.end()) continue;
    if (gone->is_running) pool_.finish_turn(owner, {.turn = gone->turn});
    open.erase(gone);
    pool_.foretell(owner, std::nullopt, true);
  }
}

void host_pool::release(const std::vector<block_index>& table) {
  for (const block_index block : table | std::views::reverse)
    if (block != no_block) pool_.release(block);
}

std::vector<block_hash> host_pool::release_owner(owner_id owner, eviction_cause cause) {
  std::vector<block_hash> its_own;
  for (const block_index block : pool_.blocks_of(owner))
    if (!was_shared_[block]) its_own.push_back(pool_.describe(block).identity.hash);
  pool_.release_owner(owner, cause);
  open_turns_.erase(owner);
  std::erase_if(its_own, [&](const block_hash& hash) { return pool_.is_cached(hash); });
  return its_own;
}

/// A block that nobody has used since it was stored may never be: most answers are, most side calls are not.
void host_pool::note_use(const std::vector<block_index>& table) {
  if (!options_.has_stores) return;
  for (const block_index block : table) {
    if (pool_.owner_count(block) > 1) was_shared_[block] = true;
    const auto lowest = pool_.lowest_tier(block);
    if (lowest <= offered_to_[block]) continue;
    offered_to_[block] = lowest;
    to_put_.push_back(pool_.describe(block).identity.hash);
  }
  // Without a store that takes them, the queue would grow by what has long left.
  if (to_put_.size() > 2 * std::size_t{options_.block_count})
    std::erase_if(to_put_, [&](const block_hash& hash) { return !pool_.is_cached(hash); });
}

std::optional<store_put> host_pool::next_put() {
  if (!putting_.empty()) return std::nullopt;
  store_put put{++transfers_, {}, {}, memory_, {}};
  while (!to_put_.empty() && putting_.size() < limits::offload_blocks_max) {
    const block_index block = pool_.find(to_put_.front());
    to_put_.pop_front();
    if (block == no_block) continue;
    offered_to_[block] = pool_.lowest_tier(block);
    if (offered_to_[block] < tier_level::disk) continue;
    put.lowest.push_back(offered_to_[block]);
    const auto held = pool_.describe(block);
    put.blocks.push_back({held.identity, held.parent, {held.tokens.begin(), held.tokens.end()}, held.role});
    put.slots.push_back(address(block));
    pool_.lease(block);
    putting_.push_back(block);
  }
  if (putting_.empty()) return std::nullopt;
  return put;
}

void host_pool::end_put(bool is_complete) {
  if (is_complete) put_ += putting_.size();
  for (const block_index block : putting_)
    if (!is_complete) offered_to_[block] = tier_level::host;  // its next use offers it again
  release(putting_);
  putting_.clear();
}

void host_pool::give_up_put() {
  if (putting_.empty()) return;
  for (const block_index block : putting_) offered_to_[block] = tier_level::host;
  blocks_given_up_ += putting_.size();
  given_up_.emplace(transfers_, std::exchange(putting_, {}));
}

void host_pool::end_given_up(std::uint64_t transfer) {
  if (auto held = given_up_.extract(transfer)) release(held.mapped());
}

std::uint32_t host_pool::held(const tier_chain& chain) const { return pool_.peek_prefix(chain.blocks, chain.root, chain.tokens).matched; }

store_get host_pool::begin_load(std::uint64_t load, const lease_request& request, std::uint32_t count) {
  loading begun{request, {}, 0};
  const auto& chain = *request.chain;
  pool_.acquire_prefix(chain.blocks, chain.root, chain.tokens, request.owner, begun.table, address_of(request.opening));
  begun.first = static_cast<std::uint32_t>(begun.table.size());
  count = std::min({count, pool_.available(), static_cast<std::uint32_t>(chain.blocks.size()) - begun.first});
  pool_.acquire_private(count, begun.table, request.tenant);
  store_get get{load, request.chain, begun.first, {}, memory_};
  for (const block_index slot : std::span(begun.table).subspan(begun.first)) get.slots.push_back(address(slot));
  loading_.insert_or_assign(load, std::move(begun));
  return get;
}

void host_pool::end_load(std::uint64_t load, std::uint32_t arrived, std::span<const block_role> roles) {
  auto found = loading_.extract(load);
  if (!found) return;
  auto& [request, table, first] = found.mapped();
  const auto& chain = *request.chain;
  const std::size_t width = options_.block_tokens;
  for (std::size_t i = first; i < std::min<std::size_t>(table.size(), first + arrived); ++i) {
    const block_hash parent = i == 0 ? chain.root : chain.blocks[i - 1].hash;
    const auto tokens = std::span<const token_id>(chain.tokens).subspan(i * width, width);
    const block_role role = i - first < roles.size() ? roles[i - first] : block_role::unknown;
    table[i] = pool_.publish(table[i], chain.blocks[i], parent, tokens, request.owner, {.role = role});
    offered_to_[table[i]] = pool_.lowest_tier(table[i]);
    was_shared_[table[i]] = true;  // whose it was before is not known here
    ++loaded_;
  }
  pool_.note_roles(table, chain.roles);
  release(table);
}

void host_pool::finish(const turn_closing& closing) {
  if (const auto open = open_turns_.find(closing.owner); open != open_turns_.end())
    for (auto& each : open->second) each.is_running = each.is_running && each.turn != closing.how.turn;
  pool_.finish_turn(closing.owner, closing.how);
  pool_.correct_roles(closing.roles);
}

host_pool_counts host_pool::counts() const noexcept { return {pool_.counts(), blocks_in_, blocks_out_, refused_, put_, loaded_, blocks_given_up_}; }

std::optional<std::string> host_pool::check_integrity() const {
  if (auto problem = pool_.check_integrity()) return problem;
  std::vector<std::uint32_t> expected(options_.block_count, 0);
  for (const auto& [of, each] : writing_)
    for (const block_index slot : each.slots)
      if (slot != no_block) ++expected[slot];
  for (const auto& [of, table] : reading_)
    for (const block_index block : table) ++expected[block];
  for (const auto& [load, each] : loading_)
    for (const block_index block : each.table) ++expected[block];
  for (const block_index block : putting_) ++expected[block];
  for (const auto& [transfer, table] : given_up_)
    for (const block_index block : table) ++expected[block];
  for (block_index block = 0; block < options_.block_count; ++block)
    if (pool_.leases(block) != expected[block]) return "block " + std::to_string(block) + " of the host has a lease too many or too few";
  return std::nullopt;
}

}  // namespace troupe::core
