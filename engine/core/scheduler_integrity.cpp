// The proof that tables, leases, slots, queues and tickets agree.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "engine/core/scheduler_state.hpp"

namespace troupe::core {

namespace {

using violation = std::optional<std::string>;

std::string about(const char* what, const sequence& of) { return std::string(what) + ", request " + std::to_string(of.spec.id.value); }

violation check_sequence(const sequence& each, std::uint32_t block_tokens) {
  const bool holds = each.phase != sequence_phase::waiting;
  if (!holds && (!each.table.empty() || each.planned != 0 || each.in_flight != 0)) return about("a waiting sequence holds blocks", each);
  if (each.computed > each.planned) return about("more is computed than planned", each);
  if (each.planned > each.size() + each.pending) return about("more is planned than there are tokens", each);
  if (std::uint64_t{each.table.size()} * block_tokens < each.planned) return about("a table does not cover what is planned", each);
  if (each.phase != sequence_phase::ended && each.outputs() > each.spec.tokens_max) return about("more tokens than asked for", each);
  if (each.spec.chain.size() != each.size() / block_tokens) return about("a chain does not cover its tokens", each);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> scheduler::check_integrity(std::span<const std::uint32_t> others) const {
  const state& s = *state_;
  if (auto found = s.pool.check_integrity()) return found;
  std::vector<const sequence*> all;
  for (const auto& entry : s.live) all.push_back(entry.second.get());
  for (const auto& each : s.departed) all.push_back(each.get());
  std::unordered_map<const sequence*, std::uint32_t> named;
  std::size_t claimed = 0;
  for (const flight& step : s.flights) {
    for (const flight_row& row : step.rows) {
      ++named[row.of];
      claimed += row.claim_end - row.claim_begin;
    }
  }
  if (claimed != s.claims.size()) return std::string("claims disagree with the steps in flight");
  std::unordered_map<block_index, std::uint32_t> leases;
  for (block_index block = 0; block < others.size(); ++block)
    if (others[block] != 0) leases[block] = others[block];
  std::unordered_set<std::uint32_t> slots(s.free_slots.begin(), s.free_slots.end());
  std::uint32_t waiting = 0, running = 0, draining = 0;
  for (const sequence* each : all) {
    if (auto found = check_sequence(*each, s.block_tokens)) return found;
    if (each->in_flight != named[each]) return about("tickets in flight disagree", *each);
    for (const block_index block : each->table) ++leases[block];
    waiting += each->phase == sequence_phase::waiting;
    running += each->phase == sequence_phase::running;
    draining += each->phase == sequence_phase::yielding || each->phase == sequence_phase::ended;
    if (each->phase != sequence_phase::waiting && !slots.insert(each->slot).second) return about("a slot is used twice", *each);
  }
  if (slots.size() != s.options.running_max) return std::string("a slot is lost");
  if (waiting != s.waiting.size() || running != s.running.size() || draining != s.draining) return std::string("a queue lost a sequence");
  if (!std::ranges::is_sorted(s.running, {}, &sequence::key)) return std::string("running sequences are out of order");
  for (const auto& [block, count] : leases) {
    if (s.pool.leases(block) != count) return "leases disagree with the tables, block " + std::to_string(block);
  }
  if (leases.size() != s.pool.counts().leased) return std::string("a block is leased by no sequence");
  return std::nullopt;
}

}  // namespace troupe::core
