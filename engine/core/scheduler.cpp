// Life and end of sequences: admission, cancellation, deadlines, preemption, and who gives back what when.
#include "engine/core/scheduler.hpp"

#include <algorithm>
#include <ranges>
#include <stdexcept>
#include <utility>

#include "engine/core/scheduler_state.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {

namespace {

std::uint64_t output_expected(const sequence_spec& spec) {
  return std::min(spec.output_tokens != 0 ? spec.output_tokens : limits::output_tokens_expected, spec.tokens_max);
}

failure explain(finish_reason reason) {
  switch (reason) {
    case finish_reason::cancelled:
      return {errc::cancelled, "the turn was cancelled", ""};
    case finish_reason::deadline:
      return {errc::deadline_exceeded, "the turn's deadline has passed", ""};
    case finish_reason::failed:
      return {errc::internal, "the turn was ended by its worker", ""};
    default:
      return {errc::none, "", ""};
  }
}

}  // namespace

scheduler::state::state(const scheduler_options& chosen, block_pool& blocks)
    : options(chosen), pool(blocks), block_tokens(blocks.block_tokens()), blocks_total(blocks.block_count()) {
  if (options.step_tokens_max == 0 || options.prefill_chunk_max == 0 || options.running_max == 0) {
    throw std::invalid_argument("a scheduler needs a token budget, a chunk and a batch of at least 1");
  }
  for (std::uint32_t slot = options.running_max; slot-- > 0;) free_slots.push_back(slot);
}

std::optional<failure> scheduler::state::refusal(const sequence_spec& spec) const {
  const std::uint64_t size = spec.tokens.size();
  const auto invalid = [](const char* why, const char* param) { return failure{errc::invalid_request, why, param}; };
  if (size == 0 || spec.continued >= size) return invalid("a sequence needs at least one prompt token", "tokens");
  if (spec.tokens_max == 0) return invalid("at least one output token must be allowed", "tokens_max");
  if (spec.hasher.block_tokens() != block_tokens) return invalid("the chain was hashed for blocks of another size", "chain");
  if (spec.chain.size() != size / block_tokens) return invalid("the chain must name every full block of the tokens", "chain");
  const std::uint64_t prompt = size - spec.continued;
  if (options.context_tokens_max != 0 && prompt + spec.tokens_max > options.context_tokens_max) {
    return failure{errc::context_length_exceeded,
                   "prompt of " + std::to_string(prompt) + " tokens and " + std::to_string(spec.tokens_max) +
                       " of output exceed the context of " + std::to_string(options.context_tokens_max),
                   "tokens_max"};
  }
  if (size >= std::uint64_t{blocks_total} * block_tokens) {  // >=: one output token must fit too
    return failure{errc::prompt_exceeds_capacity,
                   "a prompt of " + std::to_string(size) + " tokens does not fit a pool of " +
                       std::to_string(std::uint64_t{blocks_total} * block_tokens),
                   "tokens"};
  }
  if (waiting.size() >= options.waiting_max) return failure{errc::queue_full, "too many turns wait for this worker", ""};
  return std::nullopt;
}

turn_opening opening_of(const sequence_spec& spec) {
  return {spec.id.value, spec.input, static_cast<std::uint32_t>(spec.chain.size()), spec.max_tier, spec.tenant};
}

std::uint64_t tokens_expected(const sequence_spec& spec) {
  return std::max(spec.tokens.size() - spec.continued + output_expected(spec), std::uint64_t{spec.tokens.size()} + 1);
}

scheduler::scheduler(const scheduler_options& options, block_pool& pool) : state_(std::make_unique<state>(options, pool)) {}
scheduler::~scheduler() = default;

void scheduler::set_gate(scheduler_gate& gate) noexcept { state_->gate = &gate; }

expected<std::monostate> scheduler::admit(sequence_spec spec) {
  state& s = *state_;
  if (s.live.contains(spec.id)) return std::monostate{};
  if (!spec.is_started)  // what has begun may have grown to the pool's size, and ends when it is planned
    if (auto refused = s.refusal(spec)) return *std::move(refused);
  auto admitted = std::make_unique<sequence>(std::move(spec));
  const auto arrival = admitted->spec.arrival;
  admitted->key = {-std::int64_t{admitted->spec.priority}, arrival != 0 ? arrival : s.arrivals++};
  admitted->announced = admitted->spec.is_started;
  admitted->prompt_tokens = admitted->size() - admitted->spec.continued;
  const instant deadline = admitted->spec.deadline;
  if (deadline.count() != 0 && (s.deadline_next.count() == 0 || deadline < s.deadline_next)) s.deadline_next = deadline;
  s.waiting.emplace(admitted->key, admitted.get());
  s.live.emplace(admitted->spec.id, std::move(admitted));
  ++s.changes;
  return std::monostate{};
}

bool scheduler::knows(request_id id) const { return state_->live.contains(id); }

std::uint64_t scheduler::blocks_awaited() const {
  std::uint64_t blocks = 0;
  for (const auto& [key, each] : state_->waiting) blocks += state_->blocks_expected(*each);
  return blocks;
}

std::uint64_t scheduler::blocks_expected() const {
  std::uint64_t blocks = 0;
  for (const sequence* each : state_->running) {
    const auto whole = state_->blocks_expected(*each);
    blocks += whole - std::min<std::uint64_t>(whole, each->table.size());
  }
  return blocks;
}

/// In all, at its expected end; one token more than it has when it has outgrown what was expected.
std::uint64_t scheduler::state::blocks_expected(const sequence& of) const {
  const std::uint64_t tokens = std::max<std::uint64_t>(of.prompt_tokens + output_expected(of.spec), of.size() + of.pending + 1);
  return std::min(blocks_for(tokens), blocks_total);
}

bool scheduler::is_waiting(request_id id) const {
  const auto found = state_->live.find(id);
  return found != state_->live.end() && found->second->phase == sequence_phase::waiting;
}

std::optional<failure> scheduler::refusal(const sequence_spec& spec) const { return state_->refusal(spec); }

void scheduler::reserve(std::uint64_t blocks) noexcept {
  if (blocks < state_->blocks_reserved) ++state_->changes;  // the head of the queue may fit now
  state_->blocks_reserved = blocks;
}

void scheduler::cancel(request_id id, finish_reason why, std::vector<sequence_event>& events) {
  const auto found = state_->live.find(id);
  if (found != state_->live.end()) state_->finish(*found->second, why, explain(why), events);
}

void scheduler::state::finish(sequence& ending, finish_reason reason, failure error, std::vector<sequence_event>& events) {
  events.emplace_back(sequence_ended{ending.spec.id, reason, std::move(error)});
  const sequence_phase before = std::exchange(ending.phase, sequence_phase::ended);
  ending.reason = reason;
  if (before == sequence_phase::waiting) waiting.erase(ending.key);
  if (before == sequence_phase::running) std::erase(running, &ending);
  if (before == sequence_phase::yielding) --draining;
  ++changes;
  auto node = live.extract(ending.spec.id);
  if (ending.in_flight > 0) {
    ++draining;
    departed.push_back(std::move(node.mapped()));
  } else if (before != sequence_phase::waiting) {
    give_back(ending);
  } else if (gate != nullptr) {
    gate->end(ending.spec, {});
  }
}

void scheduler::state::expire(instant now, std::vector<sequence_event>& events) {
  if (deadline_next.count() == 0 || now < deadline_next) return;
  std::vector<sequence*> late;
  deadline_next = instant{0};
  for (const auto& entry : live) {
    const instant deadline = entry.second->spec.deadline;
    if (deadline.count() == 0) continue;
    if (deadline <= now) {
      late.push_back(entry.second.get());
    } else if (deadline_next.count() == 0 || deadline < deadline_next) {
      deadline_next = deadline;
    }
  }
  std::ranges::sort(late, {}, &sequence::key);
  for (sequence* each : late) finish(*each, finish_reason::deadline, explain(finish_reason::deadline), events);
}

/// Slot and leases return; nothing in flight names the sequence. What was cancelled or failed publishes nothing more.
void scheduler::state::give_back(sequence& holder) {
  const bool keeps =
      holder.phase != sequence_phase::ended || holder.reason == finish_reason::stop || holder.reason == finish_reason::length;
  if (keeps && holder.has_unpublished) publish_left(holder);
  pool.claim(holder.spec.owner, holder.table);
  if (gate != nullptr && holder.phase == sequence_phase::ended) gate->end(holder.spec, holder.table);
  for (const block_index block : holder.table | std::views::reverse) pool.release(block);
  holder.table.clear();
  holder.computed = holder.planned = 0;
  holder.has_unpublished = false;
  free_slots.push_back(holder.slot);
  ++changes;
}

void scheduler::state::publish_left(sequence& holder) {
  const auto full = std::min<std::size_t>(holder.computed / block_tokens, holder.spec.chain.size());
  for (std::uint32_t block = 0; block < full; ++block) publish_block(holder, block, true);
}

void scheduler::state::preempt(sequence& victim) {
  ++preemptions;
  std::erase(running, &victim);
  if (victim.in_flight == 0) return requeue(victim);
  victim.phase = sequence_phase::yielding;
  ++draining;
}

std::uint64_t scheduler::blocks_below(std::int32_t priority) const {
  std::uint64_t blocks = 0;
  for (const sequence* each : state_->running)
    if (each->spec.priority < priority)
      blocks += std::ranges::count(each->table, 1U, [this](block_index block) { return state_->pool.leases(block); });
  return blocks;
}

bool scheduler::preempt_below(std::int32_t priority) {
  state& s = *state_;
  if (s.running.empty() || s.draining > 0 || s.running.back()->spec.priority >= priority) return false;
  s.preempt(*s.running.back());
  return true;
}

void scheduler::state::requeue(sequence& yielded) {
  if (gate != nullptr) return hand_back(yielded);
  give_back(yielded);
  yielded.phase = sequence_phase::waiting;
  waiting.emplace(yielded.key, &yielded);  // its arrival puts it before whoever came later
}

/// The gate has it from here on, with the leases of what is complete. The block that was being written is free at once: usually that is
/// all that was asked for.
void scheduler::state::hand_back(sequence& yielded) {
  if (yielded.has_unpublished) publish_left(yielded);
  sequence_spec& spec = yielded.spec;
  auto& table = yielded.table;
  pool.claim(spec.owner, table);
  std::size_t complete = 0;
  while (complete < std::min(table.size(), spec.chain.size()) && pool.find(spec.chain[complete].hash) == table[complete]) ++complete;
  for (; table.size() > complete; table.pop_back()) pool.release(table.back());
  free_slots.push_back(yielded.slot);
  ++changes;
  spec.continued = yielded.size() - yielded.prompt_tokens;
  spec.is_started = yielded.announced;
  handed_back.push_back(std::move(live.extract(spec.id).mapped()));
  gate->take_back(std::move(spec), std::move(table));
}

/// The last ticket that names an ended sequence has completed.
void scheduler::state::forget(sequence& gone) {
  --draining;
  give_back(gone);
  std::erase_if(departed, [&](const auto& each) { return each.get() == &gone; });
}

bool scheduler::idle() const noexcept { return state_->live.empty() && state_->flights.empty(); }

scheduler_load scheduler::load() const noexcept {
  const state& s = *state_;
  scheduler_load load{.running = static_cast<std::uint32_t>(s.running.size()),
                      .waiting = static_cast<std::uint32_t>(s.live.size() - s.running.size()),
                      .prefill_tokens_per_s = s.prefill_rate.per_second(),
                      .decode_tokens_per_s = s.decode_rate.per_second(),
                      .steps = s.steps,
                      .preemptions = s.preemptions,
                      .tokens_computed = s.tokens_computed,
                      .tokens_reused = s.tokens_reused,
                      .tokens_sampled = s.tokens_sampled};
  for (const auto& entry : s.live) {
    const sequence& each = *entry.second;
    const bool decodes = each.phase == sequence_phase::running && each.remaining() <= 1 && each.computed + 1 >= each.size();
    if (!decodes) load.prefill_tokens_waiting += each.size() - std::min(each.computed, each.size());
  }
  return load;
}

}  // namespace troupe::core
