// The records behind scheduler, shared by its source files and nobody else.
//
//   waiting --start--> running --finish--> ended          (removed at once, or drained first while a ticket names it)
//      ^                  | preempt
//      +---- drained -- yielding --drained, with a gate--> handed back
//                                                         (yielding: its results still count; it is planned no more)
#pragma once

#include <deque>
#include <map>
#include <unordered_map>

#include "engine/core/decaying_rate.hpp"
#include "engine/core/flat_table.hpp"
#include "engine/core/scheduler.hpp"

namespace troupe::core {

enum class sequence_phase : std::uint8_t { waiting, running, yielding, ended };

/// Order of service: higher priority first, then arrival.
struct queue_key {
  std::int64_t priority_negated = 0;
  std::uint64_t arrival = 0;
  auto operator<=>(const queue_key&) const = default;
};

/// spec.tokens: [0, computed) KV written by completed steps. [computed, planned) by steps in flight. Behind the last one on the
/// host come `pending` tokens that steps in flight sample. spec.chain covers all full blocks of spec.tokens.
struct sequence {
  explicit sequence(sequence_spec asked) : spec(std::move(asked)) {}

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(spec.tokens.size()); }
  [[nodiscard]] std::uint32_t outputs() const { return size() - prompt_tokens + pending; }
  /// Tokens that have no KV planned yet: 1 for a decode, more for a prefill.
  [[nodiscard]] std::uint32_t remaining() const { return size() + pending - planned; }

  sequence_spec spec;
  queue_key key;
  std::uint32_t prompt_tokens = 0;
  std::vector<block_index> table;
  std::uint32_t slot = 0;
  std::uint32_t computed = 0, planned = 0, pending = 0, in_flight = 0;
  std::uint64_t planned_in = 0;  ///< the plan that named it last
  sequence_phase phase = sequence_phase::waiting;
  finish_reason reason = finish_reason::stop;
  bool announced = false;        ///< sequence_started was sent
  bool has_unpublished = false;  ///< a complete block stayed private; tried again when no ticket names it
};

struct flight_row {
  sequence* of = nullptr;
  std::uint32_t position = 0, count = 0;
  std::uint32_t claim_begin = 0, claim_end = 0;  ///< blocks of the chain that this row completes
  bool samples = false;
};

/// One step between plan() and the application of its result.
struct flight {
  std::optional<ticket_id> ticket;
  std::optional<step_result> result;
  std::vector<flight_row> rows;
  std::uint32_t prefill_tokens = 0, decode_rows = 0, samples = 0;
};

/// A step while it is being planned.
struct step_draft {
  step_plan plan;
  flight record;
  std::uint32_t budget = 0;
  bool has_prefill = false;
};

struct scheduler::state {
  state(const scheduler_options& chosen, block_pool& blocks);

  [[nodiscard]] std::uint32_t blocks_for(std::uint64_t tokens) const {
    return static_cast<std::uint32_t>((tokens + block_tokens - 1) / block_tokens);
  }

  // scheduler.cpp: life and end of sequences
  [[nodiscard]] std::optional<failure> refusal(const sequence_spec& spec) const;
  void finish(sequence& ending, finish_reason reason, failure error, std::vector<sequence_event>& events);
  void expire(instant now, std::vector<sequence_event>& events);
  void give_back(sequence& holder);
  void preempt(sequence& victim);
  void requeue(sequence& yielded);
  void hand_back(sequence& yielded);
  void forget(sequence& gone);
  void publish_left(sequence& holder);

  // scheduler_plan.cpp: what the next step computes
  void start_waiting(std::vector<sequence_event>& events);
  bool start(sequence& next);
  [[nodiscard]] bool cannot_ever_start(const sequence& head) const;
  [[nodiscard]] std::uint64_t blocks_promised() const;
  [[nodiscard]] std::uint64_t blocks_expected(const sequence& of) const;
  void match_cached(sequence& into, const turn_opening* opening = nullptr);
  bool reserve(sequence& asking, std::uint32_t end, std::vector<sequence_event>& events);
  void plan_decodes(step_draft& draft, std::vector<sequence_event>& events);
  void plan_prefills(step_draft& draft, std::vector<sequence_event>& events);
  void plan_prefill(sequence& of, std::uint32_t limit, step_draft& draft, std::vector<sequence_event>& events);
  void add_row(sequence& of, std::uint32_t count, step_draft& draft, std::vector<sequence_event>& events);
  void add_sample(const sequence& of, step_draft& draft);

  // scheduler_complete.cpp: what a step has meant
  /// How long the step will take, by those before it; 0 before the first.
  [[nodiscard]] double expected_s(const flight& step) const;
  void apply(const flight& done, std::vector<sequence_event>& events);
  void apply_row(const flight_row& row, const sampled_token* sampled, std::vector<sequence_event>& events);
  void take_token(sequence& of, const sampled_token& sampled, std::vector<sequence_event>& events);
  void publish_row(const flight_row& row);
  void publish_block(sequence& of, std::uint32_t block, bool may_swap);
  void measure(const flight& done);

  scheduler_options options;
  block_pool& pool;
  scheduler_gate* gate = nullptr;
  std::uint32_t block_tokens, blocks_total;
  std::unordered_map<request_id, std::unique_ptr<sequence>> live;
  std::vector<std::unique_ptr<sequence>> departed;  ///< ended, but a ticket names them
  std::vector<std::unique_ptr<sequence>> handed_back;  ///< by this plan, which may still compare their addresses
  std::map<queue_key, sequence*> waiting;
  std::vector<sequence*> running;  ///< by key
  std::vector<std::uint32_t> free_slots;
  std::deque<flight> flights;  ///< in the order of submission
  flat_table claims;           ///< low hashes of blocks that steps in flight complete
  std::uint32_t draining = 0;  ///< departed and yielding: their blocks will come back by themselves
  std::uint64_t arrivals = 0, plans = 0;
  std::uint64_t changes = 1, blocked_at = 0;  ///< the head of the queue did not fit when `changes` had this value,
  std::uint32_t blocked_available = 0;        ///< with so many blocks available
  instant deadline_next{0};                   ///< no deadline ends before; 0: none
  decaying_rate prefill_rate, decode_rate;
  std::uint64_t blocks_reserved = 0;          ///< by sequences that are not admitted yet
  std::uint64_t steps = 0, preemptions = 0, tokens_computed = 0, tokens_reused = 0, tokens_sampled = 0;
};

}  // namespace troupe::core
