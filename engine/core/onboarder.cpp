#include "engine/core/onboarder.hpp"

#include <algorithm>
#include <ranges>
#include <span>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::core {

std::uint32_t onboarder::blocks_for(std::uint64_t tokens) const {
  const std::uint64_t width = pool_.block_tokens();
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((tokens + width - 1) / width, pool_.block_count()));
}

lease_request onboarder::ask(sequence_spec spec, instant now, purpose why) {
  auto chain = std::make_shared<tier_chain>();
  chain->root = spec.hasher.root();
  // As in the scheduler: the last token is always computed.
  const std::size_t full = (spec.tokens.size() - 1) / pool_.block_tokens();
  chain->blocks.assign(spec.chain.begin(), spec.chain.begin() + static_cast<std::ptrdiff_t>(std::min(full, spec.chain.size())));
  chain->tokens.assign(spec.tokens.begin(), spec.tokens.begin() + static_cast<std::ptrdiff_t>(chain->blocks.size() * pool_.block_tokens()));
  chain->roles = spec.roles;
  std::vector<block_index> table;
  auto held = pool_.peek_prefix(chain->blocks, chain->root, chain->tokens).matched;
  if (why == purpose::admission) {  // what is here must be here still when the rest has come
    const turn_opening opening = opening_of(spec);
    held = pool_.acquire_prefix(chain->blocks, chain->root, chain->tokens, spec.owner, table, spec.is_ahead ? nullptr : &opening);
  }
  lease_request request{++questions_, spec.id, spec.owner, std::move(chain), held};
  request.tenant = spec.tenant;
  if (why == purpose::admission && !spec.is_ahead) request.opening = opening_of(spec);
  job asking{std::move(spec), why, request.number, now, std::nullopt, std::move(table), 0, std::nullopt, 0};
  jobs_.insert_or_assign(request.id, std::move(asking));
  return request;
}

void onboarder::granted(lease_grant grant) {
  const auto found = jobs_.find(grant.id);
  if (found == jobs_.end() || found->second.number != grant.number) {  // it has been cancelled, or was not answered in time
    if (!grant.slots.empty()) ends_.push_back({grant.number});
    return;
  }
  if (found->second.grant) return;
  if (grant.slots.empty()) return make_ready(grant.id);
  found->second.grant = std::move(grant);
}

void onboarder::tier_changed() {
  std::vector<request_id> asking;
  for (auto& [id, each] : jobs_)
    if (!each.ticket) asking.push_back(id);
  std::ranges::sort(asking, {}, [this](request_id id) { return jobs_.at(id).spec.arrival; });
  for (const auto id : asking) make_ready(id);
  ends_.clear();
}

void onboarder::make_ready(request_id id) {
  auto done = jobs_.extract(id);
  make_ready(std::move(done.mapped()));
}

void onboarder::make_ready(job ready) {
  park(ready);
  end_lease(ready);
  if (ready.why == purpose::admission) return ready_.push_back(std::move(ready.spec));
  const auto& spec = ready.spec;
  prefetched_.push_back({spec.id, ready.onboarded, pool_.peek_prefix(spec.chain, spec.hasher.root(), spec.tokens).matched});
}

void onboarder::end_lease(job& held) {
  if (std::exchange(held.grant, std::nullopt)) ends_.push_back({held.number});
}

bool onboarder::cancel(request_id id) {
  auto gone = jobs_.extract(id);
  if (!gone) return false;
  if (gone.mapped().ticket) {
    leaving_.push_back(std::move(gone.mapped()));
    return true;
  }
  release(gone.mapped().table);
  end_lease(gone.mapped());
  return true;
}

std::vector<request_id> onboarder::take_late(instant now) {
  std::vector<request_id> late;
  for (const auto& [id, each] : jobs_)
    if (each.spec.deadline.count() != 0 && now >= each.spec.deadline) late.push_back(id);
  const auto is_prefetch = [this](request_id id) { return jobs_.at(id).why == purpose::prefetch; };
  const auto admissions = std::ranges::stable_partition(late, is_prefetch);
  for (const auto id : std::span(late.begin(), admissions.begin())) prefetched_.push_back({id, 0, 0});
  for (const auto id : late) cancel(id);
  return {admissions.begin(), admissions.end()};
}

bool onboarder::is_moving() const {
  return !leaving_.empty() || std::ranges::any_of(jobs_, [](const auto& each) { return each.second.ticket.has_value(); });
}

const onboarder::job* onboarder::oldest_granted() const {
  const job* oldest = nullptr;
  const auto place = [](const job& of) { return std::pair{-std::int64_t{of.spec.priority}, of.spec.arrival}; };
  for (const auto& [id, each] : jobs_)
    if (each.grant && !each.ticket && (oldest == nullptr || place(each) < place(*oldest))) oldest = &each;
  return oldest;
}

void onboarder::pump(const onboard_room& room, instant now) {
  std::vector<request_id> unanswered;
  for (const auto& [id, each] : jobs_)
    if (!each.grant && now >= each.asked_at + instant{limits::tier_wait}) unanswered.push_back(id);
  for (const auto id : unanswered) make_ready(id);
  while (const job* next = oldest_granted()) {
    const auto outcome = begin(jobs_.at(next->spec.id), room);
    if (outcome == attempt::begun) continue;
    if (outcome == attempt::no_room && (!room.is_idle || is_moving())) return;
    if (outcome == attempt::no_room) counts_.blocks_recomputed += next->grant->slots.size();
    make_ready(next->spec.id);
  }
}

/// The device may hold more of the chain than when the tier was asked: what is copied is what the grant covers and the device lacks now.
onboarder::attempt onboarder::begin(job& waiting, const onboard_room& room) {
  const auto& spec = waiting.spec;
  const auto& grant = *waiting.grant;
  const auto end = grant.from + static_cast<std::uint32_t>(grant.slots.size());
  extend_held(waiting, end);
  const auto held = static_cast<std::uint32_t>(waiting.table.size());
  const auto give_up = [&](attempt why) {
    if (waiting.why == purpose::prefetch) release(waiting.table);
    return why;
  };
  if (held < grant.from || held >= end) return give_up(attempt::not_worth_it);
  const auto count = end - held;
  const bool is_turn = waiting.why == purpose::admission;
  const double computed_s = room.prefill_tokens_per_s > 0 ? count * pool_.block_tokens() / room.prefill_tokens_per_s : 0;
  const double copied_s = rate_.per_second() > 0 ? count / rate_.per_second() : 0;
  if (computed_s > 0 && copied_s > computed_s) {
    if (is_turn) counts_.blocks_recomputed += count;
    return give_up(attempt::not_worth_it);
  }
  const std::uint64_t reserved = room.blocks_promised + blocks_committed() - expected_of(waiting);
  const std::uint64_t available = pool_.available();
  if (is_turn && need_of(waiting) + reserved > available) return attempt::no_room;
  waiting.first = waiting.table.size();
  if (is_turn) {
    pool_.acquire_private(count, waiting.table, spec.tenant);
  } else {  // a prefetch takes what nobody needs, and displaces only what is worth less
    const auto spare = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, available - std::min(available, reserved)));
    pool_.acquire_worthwhile(spare, {.owner = spec.owner, .depth = held, .tenant = spec.tenant}, waiting.table);
  }
  if (waiting.table.size() == waiting.first) return give_up(attempt::not_worth_it);
  transfer_plan plan{transfer_plan::direction::to_device, {}};
  for (std::size_t i = 0; waiting.first + i < waiting.table.size(); ++i)
    plan.moves.push_back({waiting.table[waiting.first + i], grant.slots[held - grant.from + i]});
  waiting.ticket = device_.submit(std::move(plan));
  return attempt::begun;
}

/// Leases what the device has of the first `end` blocks by now.
void onboarder::extend_held(job& waiting, std::uint32_t end) {
  const auto& spec = waiting.spec;
  const auto held = waiting.table.size();
  if (held >= end) return;
  const auto chain = std::span(spec.chain).subspan(held, end - held);
  const auto tokens = std::span<const token_id>(spec.tokens).subspan(held * pool_.block_tokens());
  pool_.acquire_prefix(chain, held == 0 ? spec.hasher.root() : spec.chain[held - 1].hash, tokens, spec.owner, waiting.table);
}

std::uint64_t onboarder::blocks_committed() const {
  std::uint64_t blocks = 0;
  for (const auto& [id, each] : jobs_) blocks += expected_of(each);
  return blocks;
}

std::uint64_t onboarder::blocks_parked() const {
  std::uint64_t blocks = 0;
  for (const auto& [id, each] : parked_) blocks += each.table.size();
  return blocks;
}

bool onboarder::complete(ticket_id ticket, const step_result& result) {
  const bool is_good = result.status == errc::none;
  for (auto at = leaving_.begin(); at != leaving_.end(); ++at) {
    if (at->ticket != ticket) continue;
    counts_.failures += !is_good;
    publish(*at, false);  // its owner may have died with it
    release(at->table);
    leaving_.erase(at);
    return true;
  }
  const auto found = std::ranges::find_if(jobs_, [ticket](const auto& each) { return each.second.ticket == ticket; });
  if (found == jobs_.end()) return false;
  counts_.failures += !is_good;
  if (is_good) rate_.add(static_cast<double>(found->second.table.size() - found->second.first), result.seconds);
  publish(found->second, is_good);
  job done = std::move(found->second);
  jobs_.erase(found);
  make_ready(std::move(done));
  return true;
}

/// The prefix in the table is leased on for a sequence that will be admitted.
void onboarder::park(job& arrived) {
  if (arrived.why == purpose::prefetch || arrived.table.empty()) return release(arrived.table);
  parking& kept = parked_[arrived.spec.id];
  release(kept.table);  // of an earlier admission under the same id
  kept = {blocks_for(arrived.spec.tokens.size() + 1), std::exchange(arrived.table, {})};
}

/// As the tier knows it: it has heard more of answers than a later prompt says. Nothing where it knows none.
block_role onboarder::role_below(const job& arrived, std::size_t block) {
  const auto at = block - arrived.grant->from;
  return at < arrived.grant->roles.size() ? arrived.grant->roles[at] : block_role::unknown;
}

/// What arrived is cached; the leases stay.
void onboarder::publish(job& arrived, bool is_good) {
  const auto& spec = arrived.spec;
  const std::size_t width = pool_.block_tokens();
  for (std::size_t i = arrived.first; is_good && i < arrived.table.size(); ++i) {
    up_.note_onboarded(spec.chain[i].hash);
    const block_hash parent = i == 0 ? spec.hasher.root() : spec.chain[i - 1].hash;
    const auto tokens = std::span<const token_id>(spec.tokens).subspan(i * width, width);
    arrived.table[i] = pool_.publish(arrived.table[i], spec.chain[i], parent, tokens, spec.owner, {.role = role_below(arrived, i)});
    ++arrived.onboarded;
    ++counts_.blocks_onboarded;
    counts_.bytes_onboarded += device_.traits().block_bytes;
  }
  // What did not arrive or found no place in the cache is nobody's to wait with.
  std::size_t kept = std::min(arrived.first, arrived.table.size());
  while (kept < arrived.table.size() && pool_.find(spec.chain[kept].hash) == arrived.table[kept]) ++kept;
  for (; arrived.table.size() > kept; arrived.table.pop_back()) pool_.release(arrived.table.back());
  arrived.ticket.reset();
  end_lease(arrived);
}

void onboarder::release(std::vector<block_index>& table) {
  for (const block_index block : table | std::views::reverse) pool_.release(block);
  table.clear();
}

/// Blocks that the sequence will ask for to begin with.
std::uint64_t onboarder::need_of(const job& waiting) const { return missing(waiting, waiting.spec.tokens.size() + 1); }

std::uint64_t onboarder::expected_of(const job& waiting) const { return missing(waiting, tokens_expected(waiting.spec)); }

/// A prefetch asks for none but its own.
std::uint64_t onboarder::missing(const job& waiting, std::uint64_t tokens) const {
  if (waiting.why == purpose::prefetch) return 0;
  const auto whole = blocks_for(tokens);
  return whole - std::min<std::size_t>(waiting.table.size(), whole);
}

std::uint64_t onboarder::blocks_reserved() const {
  std::uint64_t reserved = 0;
  const job* oldest = oldest_granted();
  for (const auto& [id, each] : jobs_)
    if (!each.spec.is_ahead && (each.ticket || &each == oldest)) reserved += need_of(each);
  return reserved;
}

std::size_t onboarder::admissions() const {
  return static_cast<std::size_t>(std::ranges::count_if(jobs_, [](const auto& each) { return each.second.why == purpose::admission; }));
}

std::uint64_t onboarder::tokens_waiting() const {
  std::uint64_t tokens = 0;
  for (const auto& [id, each] : jobs_) {
    if (each.why == purpose::prefetch) continue;
    const auto covered = each.grant ? (each.grant->from + each.grant->slots.size()) * pool_.block_tokens() : 0;
    tokens += each.spec.tokens.size() - std::min(each.spec.tokens.size(), covered);
  }
  return tokens;
}

onboarder_counts onboarder::counts() const noexcept {
  auto counts = counts_;
  counts.waiting = static_cast<std::uint32_t>(jobs_.size());
  counts.blocks_per_s = rate_.per_second();
  return counts;
}

void onboarder::count_leases(std::vector<std::uint32_t>& leases) const {
  const auto add = [&](const auto& each) {
    for (const block_index block : each.table) ++leases[block];
  };
  for (const auto& [id, each] : jobs_) add(each);
  for (const auto& [id, each] : parked_) add(each);
  std::ranges::for_each(leaving_, add);
}

}  // namespace troupe::core
