// The contract between the scheduler and whatever computes: cpu, timing, cuda, and the tests' fake.
// A plan is plain arrays; completion is a callback from any thread that may only post a message. A block named by a plan
// may be reused only after the plan's ticket has completed; the scheduler keeps that promise, backends rely on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/sampling.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

/// One sequence's part of a step: `token_count` tokens at consecutive positions.
struct plan_row {
  std::uint32_t slot = 0;         ///< the sequence's sample slot, < backend_traits::slots
  std::uint32_t token_begin = 0;  ///< into step_plan::tokens
  std::uint32_t token_count = 0;  ///< >= 1
  std::uint32_t position = 0;     ///< of the first token in its sequence; KV of [0, position) is already written
  std::uint32_t table_begin = 0;  ///< into step_plan::block_tables
  std::uint32_t table_count = 0;  ///< blocks that cover [0, position + token_count)
};

/// Asks for one token after the last token of a row. The draw is keyed by that token's position + 1.
struct sample_request {
  std::uint32_t row = 0;            ///< into step_plan::rows
  sampling_params params;
  std::uint32_t history_begin = 0;  ///< into step_plan::history; [begin, begin + prompt) prompt, then output
  std::uint32_t history_prompt = 0;
  std::uint32_t history_output = 0;
  std::uint32_t mask_begin = 0;     ///< into step_plan::masks, mask_words words of one bit per token, 1 = allowed
  std::uint32_t mask_words = 0;     ///< 0: every token is allowed
};

/// `from_slot(s)` in `tokens` names the token that slot s sampled in the previous step, which may still be on the device.
constexpr token_id from_slot(std::uint32_t slot) { return -1 - static_cast<token_id>(slot); }
constexpr std::uint32_t slot_of(token_id token) { return static_cast<std::uint32_t>(-1 - token); }

struct step_plan {
  std::vector<plan_row> rows;              ///< one per sequence
  std::vector<token_id> tokens;            ///< all rows, concatenated
  std::vector<block_index> block_tables;   ///< all rows, concatenated
  std::vector<sample_request> samples;     ///< ascending by row; rows in the middle of a prefill have none
  std::vector<token_id> history;
  std::vector<std::uint64_t> masks;
};

/// Copies whole blocks inside the pool, (from, to) in order.
struct copy_plan {
  std::vector<std::pair<block_index, block_index>> blocks;
};

/// Moves whole blocks between the device and memory of the host that stays valid until the ticket completes: block_bytes each, in the
/// tier layout [layer][k|v][kv_head][token][head_dim]. No plan in flight may write a block that goes up, or name one that comes down.
struct transfer_plan {
  enum class direction : std::uint8_t { to_host, to_device } to = direction::to_host;
  struct move {
    block_index block = no_block;
    std::byte* host = nullptr;
  };
  std::vector<move> moves;
};

struct step_result {
  errc status = errc::none;             ///< not none: nothing of the step may be used
  std::string message;
  std::vector<sampled_token> sampled;   ///< parallel to step_plan::samples
  double seconds = 0;                   ///< of compute, for the rate estimates
};

struct backend_traits {
  std::string numeric_class;        ///< "exact" holds within one: backend, instruction set, dtype, tensor-parallel degree
  std::uint32_t block_count = 0;
  std::uint32_t block_tokens = 0;
  std::uint32_t slots = 0;          ///< the largest batch
  std::uint32_t vocabulary = 0;
  std::uint64_t block_bytes = 0;
};

class backend {
 public:
  /// Called exactly once per ticket, from any thread, in ascending ticket order unless the backend says otherwise.
  using completion = std::function<void(ticket_id, step_result)>;

  virtual ~backend() = default;  ///< waits for what is in flight; its completions may still be called
  [[nodiscard]] virtual const backend_traits& traits() const noexcept = 0;
  /// Never blocks. Plans execute in the order of submission.
  virtual ticket_id submit(step_plan plan) = 0;
  virtual ticket_id submit(copy_plan plan) = 0;
  /// Runs beside steps and copies: its completion is ordered among transfers alone.
  virtual ticket_id submit(transfer_plan plan) = 0;
};

}  // namespace troupe::core
