// One running turn as a plain object: events go in, what to send comes out. It survives its workers: what was generated is part of
// the next admission, and a token that comes twice is dropped by its index, so the client sees neither a gap nor a repeat.
//
//   rendering -> routing -> admitting -> streaming -> finished
//                   ^___________|___________|   the worker was lost
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/cache_overlap.hpp"
#include "actors/served_model.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/text/answer_decoder.hpp"
#include "engine/text/prompt_encoder.hpp"
#include "messages/routing.hpp"
#include "messages/service.hpp"
#include "messages/turn.hpp"
#include "messages/work.hpp"

namespace troupe::actors {

enum class turn_phase : std::uint8_t { rendering, routing, admitting, streaming, finished };

/// What an event of a turn tells its sink, in this order.
struct turn_output {
  std::optional<turn_started> started;
  std::vector<turn_delta> deltas;
  std::optional<turn_finished> finished;
  bool cancel_sequence = false;  ///< the session ended the answer before its worker did
};

struct turn_setup {
  turn_request request;
  std::shared_ptr<const served_model> model;
  owner_id owner;
  core::block_hasher hasher;
  core::sampling_params sampling;
  core::instant now{};  ///< of receipt
  core::instant deadline{};
  std::uint32_t output_tokens = 0;  ///< that answers of the session have had, 0: there was none
};

/// What queues order by: class, then tier, then priority, each step wider than all that lies within it.
inline constexpr std::int32_t tier_step = 2 * limits::priority_max + 1;
inline constexpr std::int32_t class_step = static_cast<std::int32_t>(limits::tier_max + 1) * tier_step;
std::int32_t queue_priority(const agent_hints& hints) noexcept;
/// Behind every turn.
inline constexpr std::int32_t ahead_priority = -class_step - limits::priority_max - 1;

/// What the router should prefer when costs are equal.
struct route_affinity {
  std::optional<worker_id> last, parent;
};

class turn {
 public:
  explicit turn(turn_setup setup);

  /// The prompt as tokens. Fails with context_length_exceeded; the turn is then to be failed by the caller.
  std::optional<failure> take_prompt(text::encoded_prompt prompt, bool begins_in_reasoning);
  /// Enters routing, for the first time or again.
  route_request route(core::instant now, const route_affinity& affinity);
  void take_worker(worker_id worker) noexcept { worker_ = worker; }
  void set_input(core::turn_input input) noexcept { input_ = input; }
  /// A main turn's, once its prompt is there.
  void set_overlap(const cache_overlap& overlap) noexcept { overlap_ = overlap; }
  admit_request admit(core::instant now);
  turn_output advance(const sequence_progress& progress, core::instant now);
  turn_output fail(failure error, core::instant now);
  /// A peer that the turn relied on went away: either ask again at `retry_at`, or the turn is finished by `output`.
  struct loss {
    std::optional<core::instant> retry_at;
    turn_output output;
  };
  loss lose_peer(core::instant now);

  [[nodiscard]] const turn_request& request() const noexcept { return setup_.request; }
  [[nodiscard]] const served_model& model() const noexcept { return *setup_.model; }
  [[nodiscard]] bool has_prompt() const noexcept { return decoder_.has_value(); }
  [[nodiscard]] turn_phase phase() const noexcept { return phase_; }
  [[nodiscard]] owner_id owner() const noexcept { return setup_.owner; }
  [[nodiscard]] worker_id worker() const noexcept { return worker_; }
  [[nodiscard]] const std::vector<core::block_identity>& chain() const noexcept { return chain_; }
  /// Names the blocks of prompt and answer.
  [[nodiscard]] std::vector<core::block_identity> whole_chain() const;
  [[nodiscard]] const std::vector<token_id>& tokens() const noexcept { return tokens_; }
  /// Of prompt and answer, as far as they are known.
  [[nodiscard]] const std::vector<core::role_range>& roles() const noexcept { return roles_; }
  /// The answer's blocks that hold something else than output, for whoever computed them.
  [[nodiscard]] std::vector<core::told_role> told_roles() const;
  [[nodiscard]] std::uint64_t scope_seed() const noexcept { return setup_.hasher.seed(); }
  [[nodiscard]] const std::string& reasoning() const noexcept { return reasoning_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// What has been generated.
  [[nodiscard]] std::vector<token_id> answer() const { return {tokens_.begin() + static_cast<std::ptrdiff_t>(prompt_tokens_), tokens_.end()}; }
  /// How it was parsed.
  [[nodiscard]] const text::answer_options& answer_options() const noexcept { return answer_options_; }
  /// Any of them ends it.
  [[nodiscard]] const std::vector<token_id>& stop_tokens() const noexcept { return stop_tokens_; }
  [[nodiscard]] core::instant deadline() const noexcept { return setup_.deadline; }
  [[nodiscard]] std::uint32_t remaining_ms(core::instant now) const noexcept;  ///< at least 1
  [[nodiscard]] const turn_usage& usage() const noexcept { return usage_; }
  [[nodiscard]] const std::vector<std::string>& tool_names() const noexcept { return tool_names_; }
  /// Once finished: the line of the request trace, without session and time.
  [[nodiscard]] turn_record record() const;

 private:
  void start(const sequence_progress& progress, core::instant now, turn_output& output);
  void take_token(const core::sampled_token& token, turn_output& output);
  void note_role(core::block_role role);
  void tell(const std::vector<text::answer_piece>& pieces, turn_output& output);
  void attach_logprobs(turn_delta& delta);
  void end(const sequence_progress& progress, core::instant now, turn_output& output);
  void finish(turn_end how, failure error, core::instant now, turn_output& output);
  [[nodiscard]] std::optional<failure> fit_context(std::size_t prompt_tokens);
  [[nodiscard]] std::uint32_t output_expected() const noexcept;

  turn_setup setup_;
  turn_phase phase_ = turn_phase::rendering;
  std::vector<token_id> stop_tokens_;
  std::vector<token_id> tokens_;             ///< the prompt, then the output
  std::vector<core::block_identity> chain_;  ///< of the full blocks of `tokens_`, extended at each admission
  std::vector<core::role_range> roles_;      ///< of `tokens_`; empty: nothing is known of the prompt, and there is no answer yet
  std::size_t prompt_tokens_ = 0;
  std::uint32_t tokens_max_ = 0;
  text::answer_options answer_options_;
  std::optional<text::answer_decoder> decoder_;
  std::vector<core::sampled_token> untold_;  ///< with logprobs: tokens whose text is held back
  std::vector<std::string> tool_names_;
  std::string reasoning_, text_;  ///< of the answer so far
  turn_usage usage_;
  std::optional<cache_overlap> overlap_;  ///< with what its session had cached
  worker_id worker_;
  core::turn_input input_ = core::turn_input::unknown;
  std::uint32_t sequence_ = 0, retries_ = 0;
  bool started_ = false, answer_complete_ = false;
  std::optional<turn_finished> finished_;
};

}  // namespace troupe::actors
