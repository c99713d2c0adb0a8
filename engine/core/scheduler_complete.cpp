// What a step has meant: results are applied in the order of submission, in whatever order their tickets complete.
// The token sampled last has no KV yet; a block is published when the step that wrote its last position has been applied.
#include <algorithm>

#include "engine/core/scheduler_state.hpp"

namespace troupe::core {

void scheduler::submitted(ticket_id ticket) {
  for (flight& each : state_->flights) {
    if (each.ticket) continue;
    each.ticket = ticket;
    return;
  }
}

void scheduler::complete(ticket_id ticket, const step_result& result, std::vector<sequence_event>& events) {
  state& s = *state_;
  for (flight& each : s.flights) {
    if (each.ticket == ticket && !each.result) each.result = result;
  }
  while (!s.flights.empty() && s.flights.front().result) {
    const flight done = std::move(s.flights.front());
    s.flights.pop_front();
    s.apply(done, events);
  }
}

void scheduler::state::apply(const flight& done, std::vector<sequence_event>& events) {
  const step_result& result = *done.result;
  errc status = result.status;
  std::string message = result.message;
  if (status == errc::none && result.sampled.size() != done.samples) {
    status = errc::internal;
    message = "the backend sampled another number of tokens than it was asked for";
  }
  if (status == errc::none) measure(done);
  std::size_t sample = 0;
  for (const flight_row& row : done.rows) {
    sequence& of = *row.of;
    --of.in_flight;
    of.pending -= row.samples;
    for (std::uint32_t block = row.claim_begin; block < row.claim_end; ++block) claims.erase(of.spec.chain[block].hash.low, 0);
    const sampled_token* sampled = row.samples && status == errc::none ? &result.sampled[sample++] : nullptr;
    if (of.phase == sequence_phase::ended) {
      if (of.in_flight == 0) forget(of);
    } else if (status != errc::none) {
      finish(of, finish_reason::failed, {status, message, ""}, events);
    } else {
      apply_row(row, sampled, events);
    }
  }
}

void scheduler::state::apply_row(const flight_row& row, const sampled_token* sampled, std::vector<sequence_event>& events) {
  sequence& of = *row.of;
  of.computed = std::max(of.computed, row.position + row.count);
  publish_row(row);
  // A trap: a sequence that ends here is gone unless a ticket names it.
  const request_id id = of.spec.id;
  if (sampled != nullptr) take_token(of, *sampled, events);
  const auto found = live.find(id);
  if (found == live.end()) return;
  if (of.phase == sequence_phase::yielding && of.in_flight == 0) {
    --draining;
    requeue(of);
  }
}

void scheduler::state::take_token(sequence& of, const sampled_token& sampled, std::vector<sequence_event>& events) {
  ++tokens_sampled;
  const std::uint32_t index = of.size() - of.prompt_tokens;
  const bool stops = index >= of.spec.tokens_min && std::ranges::find(of.spec.stop_tokens, sampled.token) != of.spec.stop_tokens.end();
  if (stops) return finish(of, finish_reason::stop, {errc::none, "", ""}, events);
  of.spec.tokens.push_back(sampled.token);
  of.spec.hasher.extend(of.spec.chain, of.spec.tokens);
  events.emplace_back(sequence_token{of.spec.id, index, sampled});
  if (index + 1 >= of.spec.tokens_max) finish(of, finish_reason::length, {errc::none, "", ""}, events);
}

void scheduler::state::publish_row(const flight_row& row) {
  const std::uint32_t end = (row.position + row.count) / block_tokens;
  for (std::uint32_t block = row.position / block_tokens; block < end; ++block) publish_block(*row.of, block, row.of->in_flight == 0);
  if (row.count > 1 && end > row.position / block_tokens) ++changes;  // the head of the queue may need less now
}

void scheduler::state::publish_block(sequence& of, std::uint32_t block, bool may_swap) {
  const block_identity& identity = of.spec.chain[block];
  const block_hash parent = block == 0 ? of.spec.hasher.root() : of.spec.chain[block - 1].hash;
  const auto tokens = std::span<const token_id>(of.spec.tokens).subspan(std::size_t{block} * block_tokens, block_tokens);
  const bool duplicate = pool.is_cached(identity.hash);
  const block_role role = role_of(of.spec.roles, block * block_tokens, (block + 1) * block_tokens);
  of.table[block] = pool.publish(of.table[block], identity, parent, tokens, of.spec.owner, {.may_swap = may_swap, .role = role});
  if ((duplicate && !may_swap) || !pool.is_cached(identity.hash)) of.has_unpublished = true;
}

double scheduler::state::expected_s(const flight& step) const {
  const double prefill = prefill_rate.per_second(), decode = decode_rate.per_second();
  return std::max(prefill > 0 ? step.prefill_tokens / prefill : 0, step.decode_rows > 0 && decode > 0 ? 1 / decode : 0);
}

void scheduler::state::measure(const flight& done) {
  ++steps;
  tokens_computed += done.prefill_tokens + done.decode_rows;
  const double seconds = done.result->seconds;
  prefill_rate.add(done.prefill_tokens, seconds);
  if (done.decode_rows > 0) decode_rate.add(1, seconds);
}

}  // namespace troupe::core
