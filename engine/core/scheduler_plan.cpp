// What the next step computes: decodes first, then prefill chunks, under the token budget.
// A sequence whose next block another step is computing waits for it: siblings that start together compute their prefix once.
#include <algorithm>
#include <ranges>

#include "engine/core/scheduler_state.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {
namespace {

// A step that is planned while another runs hides the way between device and worker, some 0.1 ms. Behind a step that takes longer than
// this it hides nothing, and whoever comes meanwhile would wait for both.
constexpr double step_ahead_s_max = 0.01;

}  // namespace

std::optional<step_plan> scheduler::plan(instant now, std::vector<sequence_event>& events) {
  state& s = *state_;
  s.handed_back.clear();
  s.expire(now, events);
  if (s.flights.size() >= limits::steps_in_flight_max) return std::nullopt;
  if (!s.flights.empty() && s.expected_s(s.flights.back()) > step_ahead_s_max) return std::nullopt;
  for (;;) {
    const std::uint64_t before = s.changes;
    step_draft draft;
    draft.budget = s.options.step_tokens_max;
    ++s.plans;
    s.start_waiting(events);
    s.plan_decodes(draft, events);
    s.plan_prefills(draft, events);
    if (!draft.plan.rows.empty()) {
      s.flights.push_back(std::move(draft.record));
      return std::move(draft.plan);
    }
    // Sequences that ended here may have made room for the queue, and with nothing in flight nobody would ask again.
    if (s.changes == before || !s.flights.empty()) return std::nullopt;
  }
}

void scheduler::state::start_waiting(std::vector<sequence_event>& events) {
  while (!waiting.empty() && !free_slots.empty()) {
    sequence& head = *waiting.begin()->second;
    if (head.outputs() >= head.spec.tokens_max) {  // continued from elsewhere with nothing left to generate
      if (!head.announced) events.emplace_back(sequence_started{head.spec.id, head.prompt_tokens, 0});
      finish(head, finish_reason::length, {errc::none, "", ""}, events);
      continue;
    }
    // Nobody overtakes the head of the queue: a large prompt would wait for ever behind small ones.
    if (blocked_at == changes && pool.available() <= blocked_available) return;
    if (!start(head)) {
      if (cannot_ever_start(head)) {
        finish(head, head.outputs() > 0 ? finish_reason::length : finish_reason::failed,
               {errc::prompt_exceeds_capacity, "the prompt does not fit beside what other sessions have pinned", "tokens"}, events);
        continue;
      }
      blocked_at = changes;
      blocked_available = pool.available();
      return;
    }
  }
}

/// Nothing runs that could make room: only pins are in its way, and everybody waits behind it.
bool scheduler::state::cannot_ever_start(const sequence& head) const {
  const std::uint32_t pinned = pool.counts().pinned;
  return pinned > 0 && running.empty() && draining == 0 && flights.empty() && blocks_for(head.size() + 1) > blocks_total - pinned;
}

/// Blocks that running sequences will still ask for, to finish their prompts and to decode one token more.
std::uint64_t scheduler::state::blocks_promised() const {
  std::uint64_t blocks = 0;
  for (const sequence* each : running) {
    const std::uint32_t needed = std::min(blocks_for(each->size() + each->pending + 1), blocks_total);
    blocks += needed - std::min(needed, static_cast<std::uint32_t>(each->table.size()));
  }
  return blocks;
}

/// Asks for room for what is not cached of the sequence, then leases what is: a sequence that is started can finish its prompt unless
/// decodes grow into it. One that does not fit leaves the cache as it is.
bool scheduler::state::start(sequence& next) {
  const std::size_t limit = (next.size() - 1) / block_tokens;
  const auto cached = pool.peek_prefix(std::span(next.spec.chain).first(limit), next.spec.hasher.root(), next.spec.tokens);
  const std::uint32_t needed = std::min(blocks_for(next.size() + 1), blocks_total);
  if (needed - cached.matched + blocks_promised() + blocks_reserved > pool.available() - cached.idle) return false;
  const turn_opening opening = opening_of(next.spec);
  match_cached(next, next.spec.is_ahead ? nullptr : &opening);
  waiting.erase(next.key);
  next.phase = sequence_phase::running;
  next.slot = free_slots.back();
  free_slots.pop_back();
  running.insert(std::ranges::upper_bound(running, next.key, {}, &sequence::key), &next);
  return true;
}

/// Extends a table that ends at a block boundary by cached blocks. The last token is always computed: somebody must sample from it.
void scheduler::state::match_cached(sequence& into, const turn_opening* opening) {
  const std::size_t held = into.table.size();
  const std::size_t limit = (into.size() - 1) / block_tokens;
  if (held >= limit && opening == nullptr) return;
  const std::span<const block_identity> chain(into.spec.chain);
  const block_hash parent = held == 0 ? into.spec.hasher.root() : chain[held - 1].hash;
  const auto tokens = std::span<const token_id>(into.spec.tokens).subspan(held * block_tokens);
  const std::uint32_t matched = pool.acquire_prefix(chain.subspan(held, limit - held), parent, tokens, into.spec.owner, into.table, opening);
  if (matched == 0) return;
  pool.note_roles(into.table, into.spec.roles);
  into.planned += matched * block_tokens;
  into.computed = into.planned;
  tokens_reused += std::uint64_t{matched} * block_tokens;
}

/// Private blocks up to position `end`. Without them the sequence is not planned now: it waits for blocks that are coming back, was
/// preempted itself, or has ended because it alone fills the pool.
bool scheduler::state::reserve(sequence& asking, std::uint32_t end, std::vector<sequence_event>& events) {
  const std::uint32_t needed = blocks_for(end);
  if (needed <= asking.table.size()) return true;
  if (needed > blocks_total) {
    if (asking.in_flight == 0) finish(asking, finish_reason::length, {errc::none, "", ""}, events);
    return false;
  }
  while (!pool.acquire_private(needed - static_cast<std::uint32_t>(asking.table.size()), asking.table, asking.spec.tenant)) {
    if (draining > 0 || (gate != nullptr && gate->is_releasing())) return false;
    sequence& victim = *running.back();
    const bool is_asking = &victim == &asking;
    if (is_asking && running.size() == 1 && pool.counts().pinned > 0) {  // others' pins leave it no more
      if (asking.in_flight == 0) finish(asking, finish_reason::length, {errc::none, "", ""}, events);
      return false;
    }
    preempt(victim);
    if (is_asking) return false;
  }
  return true;
}

// Both loops below visit `running` while `reserve` takes sequences out of it: victims come from its end, the visited one may go too.

void scheduler::state::plan_decodes(step_draft& draft, std::vector<sequence_event>& events) {
  for (std::size_t at = 0; at < running.size() && draft.budget > 0;) {
    sequence& each = *running[at];
    const bool on_host = each.pending == 0 || !each.spec.sampling.needs_history();
    if (each.remaining() == 1 && on_host && each.outputs() < each.spec.tokens_max && reserve(each, each.planned + 1, events)) {
      add_row(each, 1, draft, events);
    }
    if (at < running.size() && running[at] == &each) ++at;
  }
}

/// Short remainders (a cache hit, usually) of the highest priority go first and take at most half of the budget; then everybody in order.
void scheduler::state::plan_prefills(step_draft& draft, std::vector<sequence_event>& events) {
  const std::uint32_t reserved = draft.budget / 2;  // for long prompts, which therefore never starve
  const auto first = std::ranges::find_if(running, [](const sequence* each) { return each->remaining() > 1; });
  if (first == running.end()) return;
  const auto highest = (*first)->key.priority_negated;
  for (const bool short_ones : {true, false}) {
    const std::uint32_t keep = short_ones ? draft.budget - reserved : 0;
    for (std::size_t at = 0; at < running.size() && draft.budget > keep;) {
      sequence& each = *running[at];
      if (short_ones && each.key.priority_negated != highest && each.remaining() > 1) break;
      const bool fits = each.remaining() <= std::min(draft.budget - keep, options.prefill_chunk_max);
      if (each.planned_in != plans && each.remaining() > 1 && (!short_ones || fits)) plan_prefill(each, draft.budget - keep, draft, events);
      if (at < running.size() && running[at] == &each) ++at;
    }
  }
}

void scheduler::state::plan_prefill(sequence& of, std::uint32_t limit, step_draft& draft, std::vector<sequence_event>& events) {
  if (of.planned == of.table.size() * block_tokens) {
    match_cached(of);
    const std::uint32_t block = of.planned / block_tokens;
    const bool shareable = block < (of.size() - 1) / block_tokens;
    if (shareable && claims.find(of.spec.chain[block].hash.low) != flat_table::none) return;
  }
  std::uint32_t count = std::min({of.remaining(), limit, options.prefill_chunk_max});
  if (count < of.remaining()) {  // chunks end where blocks end, so that others can share them
    const std::uint32_t end = (of.planned + count) / block_tokens * block_tokens;
    if (end > of.planned) {
      count = end - of.planned;
    } else if (draft.has_prefill && count == limit) {
      return;
    }
  }
  if (!reserve(of, of.planned + count, events)) return;
  add_row(of, count, draft, events);
  draft.has_prefill = true;
}

void scheduler::state::add_row(sequence& of, std::uint32_t count, step_draft& draft, std::vector<sequence_event>& events) {
  if (!of.announced) {
    of.announced = true;
    events.emplace_back(sequence_started{of.spec.id, of.prompt_tokens, std::min(of.planned, of.prompt_tokens)});
  }
  step_plan& plan = draft.plan;
  const std::uint32_t end = of.planned + count;
  const auto table_count = static_cast<std::uint32_t>(blocks_for(end));
  plan.rows.push_back({.slot = of.slot,
                       .token_begin = static_cast<std::uint32_t>(plan.tokens.size()),
                       .token_count = count,
                       .position = of.planned,
                       .table_begin = static_cast<std::uint32_t>(plan.block_tables.size()),
                       .table_count = table_count});
  plan.block_tables.insert(plan.block_tables.end(), of.table.begin(), of.table.begin() + table_count);
  if (of.pending > 0) {
    plan.tokens.push_back(from_slot(of.slot));
  } else {
    plan.tokens.insert(plan.tokens.end(), of.spec.tokens.begin() + of.planned, of.spec.tokens.begin() + end);
  }
  flight_row row{.of = &of, .position = of.planned, .count = count};
  row.claim_begin = of.planned / block_tokens;
  row.claim_end = std::max(row.claim_begin, std::min(end / block_tokens, static_cast<std::uint32_t>(of.spec.chain.size())));
  for (std::uint32_t block = row.claim_begin; block < row.claim_end; ++block) claims.insert(of.spec.chain[block].hash.low, 0);
  row.samples = end == of.size() + of.pending;
  if (row.samples) add_sample(of, draft);
  const bool decodes = count == 1 && of.outputs() > 0;
  (decodes ? draft.record.decode_rows : draft.record.prefill_tokens) += count;
  of.pending += row.samples;
  of.planned = end;
  of.planned_in = plans;
  ++of.in_flight;
  draft.budget -= count;
  draft.record.rows.push_back(row);
}

void scheduler::state::add_sample(const sequence& of, step_draft& draft) {
  step_plan& plan = draft.plan;
  sample_request& sample = plan.samples.emplace_back();
  sample.row = static_cast<std::uint32_t>(plan.rows.size() - 1);
  sample.params = of.spec.sampling;
  sample.history_begin = static_cast<std::uint32_t>(plan.history.size());
  if (of.spec.sampling.needs_history()) {
    sample.history_prompt = of.prompt_tokens;
    sample.history_output = of.size() - of.prompt_tokens;
    plan.history.insert(plan.history.end(), of.spec.tokens.begin(), of.spec.tokens.end());
  }
  ++draft.record.samples;
}

}  // namespace troupe::core
