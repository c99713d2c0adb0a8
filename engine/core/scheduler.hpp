// Continuous batching with chunked prefill: turns admitted sequences into step plans and step results into tokens.
// Owns no thread and no clock: the worker hands it time, submits what it plans, and feeds results back.
//
// A sequence's table: [0, matched) shared, leased. [matched, computed) ours. [computed, end) not written yet.
// A sequence that ends while a ticket names it keeps its blocks until that ticket completes ("draining").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/backend.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/instant.hpp"

namespace troupe::core {

struct scheduler_options {
  std::uint32_t step_tokens_max = 512;    ///< the token budget of a step: decodes first, then prefill chunks
  std::uint32_t prefill_chunk_max = 512;  ///< of one sequence in one step
  std::uint32_t running_max = 16;         ///< sequences in a batch, <= backend slots
  std::uint32_t waiting_max = 1024;       ///< admit answers queue_full beyond
  std::uint32_t context_tokens_max = 0;   ///< of the model
};

/// What is asked of one sequence.
struct sequence_spec {
  request_id id;
  std::vector<token_id> tokens;             ///< the prompt, then `continued` tokens that were generated elsewhere before
  std::uint32_t continued = 0;              ///< they count as output: for penalties, positions, max_tokens
  std::vector<block_identity> chain;        ///< of all full blocks of `tokens`
  std::vector<role_range> roles;            ///< of `tokens`, and of what will be generated
  block_hasher hasher;                      ///< to name the blocks that decoding completes
  owner_id owner;                           ///< whose blocks they become
  tenant_index tenant = 0;                  ///< that of the owner
  turn_input input = turn_input::unknown;   ///< for the retention policy
  tier_level max_tier = tier_level::remote; ///< the lowest that may keep what only owners like this one have
  sampling_params sampling;
  std::uint32_t tokens_max = 0;             ///< of output, >= 1
  std::uint32_t tokens_min = 0;             ///< stop tokens are ignored before
  std::uint32_t output_tokens = 0;          ///< expected, 0: unknown
  std::vector<token_id> stop_tokens;        ///< end of sequence and the request's own; empty with ignore_eos
  std::int32_t priority = 0;                ///< higher first
  bool is_ahead = false;                    ///< of the turn that it is for, so it opens none
  instant deadline{0};                      ///< 0: none
  std::uint64_t session = 0;                ///< whose turn it is, through all owners that it has had; 0: the owner's
  bool is_subagent = false;                 ///< somebody who has been let in waits for it
  std::uint64_t arrival = 0;                ///< its place in its class, given by the gate; 0: when it is admitted. All carry one, or none
  bool is_started = false;                  ///< sequence_started was sent: it comes back after a preemption
};

turn_opening opening_of(const sequence_spec& spec);
/// That the sequence will have at its end: never fewer than one more than now, nor more than it may have.
std::uint64_t tokens_expected(const sequence_spec& spec);

/// What stands before a scheduler. A preempted sequence goes back to it, behind none that came later in its class.
class scheduler_gate {
 public:
  virtual ~scheduler_gate() = default;
  /// `leased`: its complete blocks, parents before children. These leases are the gate's to end, soon.
  virtual void take_back(sequence_spec preempted, std::vector<block_index> leased) = 0;
  /// It has ended, however: these are its blocks, still leased, of which the last may be private.
  virtual void end(const sequence_spec& spec, std::span<const block_index> table) = 0;
  /// Some of them are not ended yet: nobody else need give way meanwhile.
  [[nodiscard]] virtual bool is_releasing() const = 0;
};

enum class finish_reason : std::uint8_t { stop, length, cancelled, deadline, failed };

/// What a step meant for one sequence.
struct sequence_started { request_id id; std::uint32_t prompt_tokens = 0; std::uint32_t cached_tokens = 0; };
struct sequence_token { request_id id; std::uint32_t index = 0; sampled_token token; };  ///< index counts output tokens, `continued` included
struct sequence_ended { request_id id; finish_reason reason = finish_reason::stop; failure error; };
using sequence_event = std::variant<sequence_started, sequence_token, sequence_ended>;

struct scheduler_load {
  std::uint32_t running = 0, waiting = 0;
  std::uint64_t prefill_tokens_waiting = 0;  ///< prompt tokens that are admitted or queued and not computed yet
  double prefill_tokens_per_s = 0;           ///< measured, 0 before the first step
  double decode_tokens_per_s = 0;            ///< of one sequence
  std::uint64_t steps = 0, preemptions = 0, tokens_computed = 0, tokens_reused = 0, tokens_sampled = 0;
};

class scheduler {
 public:
  scheduler(const scheduler_options& options, block_pool& pool);
  ~scheduler();
  /// Without one a preempted sequence waits in the scheduler's own queue, and computes what has left the device meanwhile.
  void set_gate(scheduler_gate& gate) noexcept;

  /// Queues a sequence. Failures: queue_full, context_length_exceeded, prompt_exceeds_capacity. A known id is accepted again
  /// without effect.
  expected<std::monostate> admit(sequence_spec spec);
  [[nodiscard]] bool knows(request_id id) const;
  /// It is admitted and has not been started, or was preempted.
  [[nodiscard]] bool is_waiting(request_id id) const;
  /// What `admit` would fail with.
  [[nodiscard]] std::optional<failure> refusal(const sequence_spec& spec) const;
  /// Blocks that starting sequences must leave available from now on, for others that are not admitted yet.
  void reserve(std::uint64_t blocks) noexcept;
  /// Blocks that running sequences will still ask for, as far as their answers are expected to go.
  [[nodiscard]] std::uint64_t blocks_expected() const;
  /// Blocks that the waiting ones need in all, as expected.
  [[nodiscard]] std::uint64_t blocks_awaited() const;
  /// Blocks that running sequences of lower priority hold alone.
  [[nodiscard]] std::uint64_t blocks_below(std::int32_t priority) const;
  /// Preempts the running sequence of the lowest priority, of several the latest, if that is below `priority`. False when there is none,
  /// or when one is giving way already.
  bool preempt_below(std::int32_t priority);
  /// Ends a sequence wherever it is; its last event is sequence_ended{cancelled}. Unknown ids are ignored.
  void cancel(request_id id, finish_reason why, std::vector<sequence_event>& events);

  /// The next step, or nothing when there is no work, or `limits::steps_in_flight_max` steps are in flight, or one that lasts. Admits from
  /// the queue, preempts when a decode finds no block. The caller submits it and calls `submitted` with the ticket.
  std::optional<step_plan> plan(instant now, std::vector<sequence_event>& events);
  void submitted(ticket_id ticket);
  /// Feeds one result back, in any order of tickets. Publishes completed blocks, frees drained ones.
  void complete(ticket_id ticket, const step_result& result, std::vector<sequence_event>& events);

  [[nodiscard]] bool idle() const noexcept;  ///< nothing admitted and nothing in flight
  [[nodiscard]] scheduler_load load() const noexcept;
  /// The pool's invariants, and that leases and tables agree. `others`: leases of each block that somebody else holds.
  [[nodiscard]] std::optional<std::string> check_integrity(std::span<const std::uint32_t> others = {}) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::core
