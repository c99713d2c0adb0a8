// A backend without arithmetic: a step lasts what a rate table says, on a timer that it is handed, and its tokens come from a hash or
// a script. Tests and the replay lab hand it virtual time, a server a real timer thread; it reads no clock itself.
#pragma once

#include <functional>
#include <memory>

#include "engine/core/backend.hpp"
#include "engine/core/scheduler.hpp"

namespace troupe::core {

/// Time for whoever may not read a clock. Both functions may be called from any thread.
class timer {
 public:
  virtual ~timer() = default;
  [[nodiscard]] virtual instant now() const = 0;
  /// Calls `action` once, at `when` or at once if that has passed, from any thread, but not from inside call_at.
  virtual void call_at(instant when, std::function<void()> action) = 0;
};

/// What one step costs: base_s + prefill tokens + decode rows. The defaults are about those of an 8B model on one data-centre GPU.
struct timing_rates {
  double step_base_s = 0.004;
  double prefill_token_s = 0.00005;
  double decode_row_s = 0.0002;
  double copied_block_s = 0.000005;
  double moved_block_s = 0.00004;  ///< to or from the host: 2 MiB at about 50 GB/s
};

/// The token at `position` of a sequence that samples with `seed`: pure, so that a turn continues elsewhere with the same tokens.
using token_source = std::function<token_id(std::uint64_t seed, std::uint64_t position)>;
/// Hashes (seed, position) into [first, vocabulary): `first` keeps special tokens out.
token_source hashed_tokens(std::uint32_t vocabulary, std::uint32_t first = 0);
/// script[position % size]. The script must not be empty.
token_source scripted_tokens(std::vector<token_id> script);

struct timing_backend_options {
  backend_traits traits{
      .numeric_class = "timing", .block_count = 4096, .block_tokens = 32, .slots = 64, .vocabulary = 32000, .block_bytes = 0};
  timing_rates rates;
  token_source tokens;  ///< empty: hashed_tokens(traits.vocabulary)
};

class timing_backend : public backend {
 public:
  /// `clock` must outlive the last action it was handed. Completions come from its thread, in ascending ticket order; that of a step which takes
  /// no time, with nothing before it, from inside of submit.
  timing_backend(timing_backend_options options, timer& clock, completion done);
  /// Does not wait for the clock: steps in flight complete at once, from here. Waits for a completion that another thread is inside of,
  /// so that none is called afterwards.
  ~timing_backend() override;

  [[nodiscard]] const backend_traits& traits() const noexcept override;
  ticket_id submit(step_plan plan) override;
  ticket_id submit(copy_plan plan) override;
  ticket_id submit(transfer_plan plan) override;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace troupe::core
