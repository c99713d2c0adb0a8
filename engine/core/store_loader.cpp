#include "engine/core/store_loader.hpp"

#include <algorithm>
#include <ranges>

namespace troupe::core {
namespace {

std::uint32_t blocks_of(const lease_request& request) { return static_cast<std::uint32_t>(request.chain->blocks.size()); }

}  // namespace

void store_loader::ask(client_id client, lease_request request, instant now) { take_up({client, std::move(request), now, 0}); }

void store_loader::take_up(question asked) {
  const auto& chain = *asked.request.chain;
  asked.held = pool_.held(chain);
  if (asked.held >= chain.blocks.size() || stores_.empty() || size() >= limits::store_loads_max) return answer(asked);
  const auto brings_its_next = [&](const auto& each) {
    const auto& [number, under_way] = each;
    const auto& blocks = under_way.begun_for.request.chain->blocks;
    if (under_way.is_late || under_way.is_orphaned || is_computed_faster(asked, under_way.store)) return false;
    return blocks.size() > asked.held && blocks[asked.held].hash == chain.blocks[asked.held].hash;
  };
  if (const auto under_way = std::ranges::find_if(loads_, brings_its_next); under_way != loads_.end())
    return under_way->second.waiting.push_back(std::move(asked));
  const auto number = ++numbers_;
  loads_[number].begun_for = std::move(asked);
  ask_store(number, 0);
}

/// Asks the next store that is not hung, under a new number: what an earlier question's answer says twice is then of no load.
void store_loader::ask_store(std::uint64_t number, std::size_t first) {
  auto renumbered = loads_.extract(number);
  renumbered.key() = ++numbers_;
  auto& wanted = loads_.insert(std::move(renumbered)).position->second;
  const auto& request = wanted.begun_for.request;
  wanted.held = pool_.held(*request.chain);
  wanted.fetching = 0;
  while (first < stores_.size() && is_hung(stores_[first])) ++first;
  if (wanted.held >= blocks_of(request) || first >= stores_.size()) return close(numbers_);
  wanted.store = stores_[first];
  out_.finds.emplace_back(wanted.store, store_find{numbers_, request.chain, wanted.held});
}

void store_loader::found(store_id from, const store_found& said, instant now) {
  load* const wanted = load_of(from, said.load);
  if (wanted == nullptr || wanted->fetching > 0) return;
  if (wanted->is_answered) return give_way(said.load);
  const auto& request = wanted->begun_for.request;
  const auto there = std::min(said.blocks, blocks_of(request) - wanted->held);
  if (there > 0 && is_computed_faster(wanted->begun_for, from)) {
    wanted->slower_to = std::max(wanted->slower_to, wanted->held + there);
  } else if (there > 0) {
    auto get = pool_.begin_load(said.load, request, there);
    if (!get.slots.empty()) {
      wanted->held = get.from;
      wanted->fetching = static_cast<std::uint32_t>(get.slots.size());
      wanted->fetch_begun = now;
      out_.gets.emplace_back(from, std::move(get));
      return;
    }
    pool_.end_load(said.load, 0);  // no room
  }
  ask_store(said.load, behind(from));
}

void store_loader::got(store_id from, const store_got& said, instant now) {
  load* const fetched = load_of(from, said.load);
  if (fetched == nullptr || fetched->fetching == 0) return;
  const auto asked = std::exchange(fetched->fetching, 0);
  const auto arrived = std::min(said.blocks, asked);
  measure(from, arrived, fetched->fetch_begun, now);
  pool_.end_load(said.load, fetched->is_orphaned ? 0 : arrived, said.roles);
  if (!fetched->is_late) counts_.blocks_failed += asked - arrived;
  if (fetched->is_orphaned) return give_way(said.load);
  if (fetched->is_answered) return close(said.load);
  const bool is_nearer = pool_.held(*fetched->begun_for.request.chain) > fetched->held;
  ask_store(said.load, is_nearer ? 0 : behind(from));
}

/// Those who wait for it ask again if it has brought them something; what has failed once is not tried by each of them.
void store_loader::close(std::uint64_t number) {
  auto ended = std::move(loads_.extract(number).mapped());
  if (!ended.is_answered) {
    counts_.blocks_recomputed += std::max(ended.slower_to, ended.held) - ended.held;
    answer(ended.begun_for);
  }
  for (auto& each : ended.waiting) {
    if (pool_.held(*each.request.chain) > each.held)
      take_up(std::move(each));
    else
      answer(each);
  }
}

/// Its question is gone, by no fault of a store: those who wait for it begin anew.
void store_loader::give_way(std::uint64_t number) {
  auto ended = std::move(loads_.extract(number).mapped());
  for (auto& each : ended.waiting) take_up(std::move(each));
}

void store_loader::close_turn(owner_id owner, std::uint64_t turn) {
  const auto close = [&](lease_request& request) {
    if (request.owner == owner && request.opening && request.opening->turn == turn) request.opening.reset();
  };
  for (auto& [number, each] : loads_) {
    close(each.begun_for.request);
    for (auto& waits : each.waiting) close(waits.request);
  }
}

void store_loader::expire(instant now) {
  for (auto& [number, each] : loads_) {
    std::erase_if(each.waiting, [&](const question& waits) {
      if (waits.deadline() > now) return false;
      answer(waits);
      return true;
    });
    if (each.is_late || each.begun_for.deadline() > now) continue;
    each.is_late = true;
    counts_.blocks_failed += each.fetching > 0 ? each.fetching : blocks_of(each.begun_for.request) - each.held;
    if (!std::exchange(each.is_answered, true)) answer(each.begun_for);
  }
}

std::optional<instant> store_loader::next_deadline() const {
  std::optional<instant> next;
  const auto note = [&](const question& each) { next = std::min(next.value_or(each.deadline()), each.deadline()); };
  for (const auto& [number, each] : loads_) {
    if (!each.is_late) note(each.begun_for);
    std::ranges::for_each(each.waiting, note);
  }
  return next;
}

void store_loader::change_stores(std::vector<store_id> nearest_first) {
  stores_ = std::move(nearest_first);
  const auto is_gone = [this](store_id store) { return std::ranges::find(stores_, store) == stores_.end(); };
  std::erase_if(rates_, [&](const auto& each) { return is_gone(each.first); });
  std::vector<std::uint64_t> lost;
  for (const auto& [number, each] : loads_)
    if (is_gone(each.store)) lost.push_back(number);
  for (const auto number : lost) {
    const auto& each = loads_.at(number);
    if (!each.is_late) counts_.blocks_failed += each.fetching > 0 ? each.fetching : blocks_of(each.begun_for.request) - each.held;
    pool_.end_load(number, 0);
    close(number);
  }
}

void store_loader::forget(client_id client) {
  std::vector<std::uint64_t> unwanted;
  for (auto& [number, each] : loads_) {
    std::erase_if(each.waiting, [client](const question& waits) { return waits.client == client; });
    if (each.begun_for.client != client || each.is_answered) continue;
    each.is_answered = true;
    if (each.fetching == 0) unwanted.push_back(number);
  }
  for (const auto number : unwanted) give_way(number);
}

void store_loader::release_owner(owner_id owner) {
  std::vector<std::uint64_t> unwanted;
  for (auto& [number, each] : loads_) {
    std::erase_if(each.waiting, [&](const question& waits) {
      if (waits.request.owner != owner) return false;
      refuse(waits);
      return true;
    });
    if (each.begun_for.request.owner != owner) continue;
    if (!std::exchange(each.is_answered, true)) refuse(each.begun_for);
    each.is_orphaned = true;
    if (each.fetching == 0) unwanted.push_back(number);
  }
  for (const auto number : unwanted) give_way(number);
}

void store_loader::answer(const question& asked) { out_.grants.emplace_back(asked.client, pool_.lease(asked.client, asked.request)); }

void store_loader::refuse(const question& asked) {
  const auto& request = asked.request;
  out_.grants.emplace_back(asked.client, lease_grant{request.number, request.id, request.from, {}, nullptr});
}

store_loader::load* store_loader::load_of(store_id from, std::uint64_t number) {
  const auto at = loads_.find(number);
  return at == loads_.end() || at->second.store != from ? nullptr : &at->second;
}

std::size_t store_loader::behind(store_id store) const {
  return static_cast<std::size_t>(std::ranges::find(stores_, store) - stores_.begin()) + 1;
}

/// It owes an answer beyond the deadline: until that comes, nobody else waits for it.
bool store_loader::is_hung(store_id store) const {
  return std::ranges::any_of(loads_, [store](const auto& each) { return each.second.is_late && each.second.store == store; });
}

bool store_loader::is_computed_faster(const question& asked, store_id than) const {
  const auto known = rates_.find(than);
  const double computed_s = asked.request.computed_block_s;
  if (known == rates_.end() || computed_s <= 0 || asked.asked_at - known->second.measured_at > instant{limits::store_rate_age_max})
    return false;
  return computed_s * known->second.blocks.per_second() < 1;
}

void store_loader::measure(store_id store, std::uint32_t blocks, instant begun, instant now) {
  if (blocks == 0 || now <= begun) return;
  auto& rate = rates_[store];
  if (now - rate.measured_at > instant{limits::store_rate_age_max}) rate.blocks = {};
  rate.blocks.add(blocks, std::chrono::duration<double>(now - begun).count());
  rate.measured_at = now;
}

std::size_t store_loader::size() const noexcept {
  std::size_t questions = loads_.size();
  for (const auto& [number, each] : loads_) questions += each.waiting.size();
  return questions;
}

}  // namespace troupe::core
