#include "engine/core/timing_backend.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::core {

token_source hashed_tokens(std::uint32_t vocabulary, std::uint32_t first) {
  if (first >= vocabulary) throw std::invalid_argument("no token is left to hash into");
  return [=](std::uint64_t seed, std::uint64_t position) {
    std::uint64_t mixed = seed * 0x9E3779B97F4A7C15ULL ^ (position + 1) * 0xD6E8FEB86659FD93ULL;
    mixed = (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93ULL;
    mixed ^= mixed >> 32;
    return static_cast<token_id>(first + mixed % (vocabulary - first));
  };
}

token_source scripted_tokens(std::vector<token_id> script) {
  if (script.empty()) throw std::invalid_argument("an empty script names no token");
  return [script = std::move(script)](std::uint64_t, std::uint64_t position) { return script[position % script.size()]; };
}

/// Shared with the actions that the timer still holds: an action that fires after the backend has gone finds nothing in flight.
struct timing_backend::state {
  state(timing_backend_options chosen, timer& time, completion when_done)
      : options(std::move(chosen)), clock(time), done(std::move(when_done)) {}

  struct pending {
    ticket_id ticket;
    step_result result;
  };

  /// Steps and copies run one after another, transfers too, and both beside each other.
  struct lane {
    std::deque<pending> in_flight;  ///< in the order of submission, which is the order of their ends
    instant busy_until{0};
  };
  ticket_id begin(const std::shared_ptr<state>& self, lane state::*in, step_result result);
  void finish_first(lane state::*in);

  timing_backend_options options;
  timer& clock;
  completion done;
  std::mutex mutex;
  std::condition_variable returned;
  std::vector<std::thread::id> completing;  ///< threads inside of `done`; the clock's alone, as a rule
  lane steps, transfers;
  std::uint64_t tickets = 0;
  bool closed = false;  ///< the destructor has taken over what was in flight
};

ticket_id timing_backend::state::begin(const std::shared_ptr<state>& self, lane state::*in, step_result result) {
  const auto kept = self;  // a completion may destroy the backend
  const auto lasting = std::chrono::duration_cast<instant>(std::chrono::duration<double>(result.seconds));
  instant end;
  ticket_id ticket;
  bool takes_no_time = false;
  {
    const std::lock_guard lock(mutex);
    const instant now = clock.now();
    lane& used = this->*in;
    takes_no_time = lasting == instant{0} && used.in_flight.empty() && completing.empty();
    end = used.busy_until = std::max(used.busy_until, now) + lasting;
    ticket = {++tickets};
    used.in_flight.push_back({ticket, std::move(result)});
  }
  takes_no_time ? finish_first(in) : clock.call_at(end, [kept, in] { kept->finish_first(in); });
  return ticket;
}

/// Which action fires first does not matter: each ends the oldest of its lane, and they are as many as were begun.
void timing_backend::state::finish_first(lane state::*in) {
  pending first;
  {
    const std::lock_guard lock(mutex);
    auto& in_flight = (this->*in).in_flight;
    if (closed || in_flight.empty()) return;
    first = std::move(in_flight.front());
    in_flight.pop_front();
    completing.push_back(std::this_thread::get_id());
  }
  done(first.ticket, std::move(first.result));  // outside the lock: a completion may submit
  const std::lock_guard lock(mutex);
  completing.erase(std::find(completing.begin(), completing.end(), std::this_thread::get_id()));
  returned.notify_all();
}

timing_backend::timing_backend(timing_backend_options options, timer& clock, completion done)
    : state_(std::make_shared<state>(std::move(options), clock, std::move(done))) {
  if (!state_->options.tokens) state_->options.tokens = hashed_tokens(state_->options.traits.vocabulary);
}

timing_backend::~timing_backend() {
  std::deque<state::pending> left;
  {
    std::unique_lock lock(state_->mutex);
    state_->closed = true;
    // No deadline: a completion only posts a message. One that destroys its backend does not wait for itself.
    state_->returned.wait(lock, [this, self = std::this_thread::get_id()] {
      return std::all_of(state_->completing.begin(), state_->completing.end(), [self](auto thread) { return thread == self; });
    });
    left.swap(state_->steps.in_flight);
    std::move(state_->transfers.in_flight.begin(), state_->transfers.in_flight.end(), std::back_inserter(left));
    state_->transfers.in_flight.clear();
  }
  for (auto& each : left) state_->done(each.ticket, std::move(each.result));
}

const backend_traits& timing_backend::traits() const noexcept { return state_->options.traits; }

ticket_id timing_backend::submit(step_plan plan) {
  const timing_rates& rates = state_->options.rates;
  step_result result;
  result.seconds = rates.step_base_s;
  for (const plan_row& row : plan.rows) {
    result.seconds += row.token_count == 1 ? rates.decode_row_s : row.token_count * rates.prefill_token_s;
  }
  result.sampled.reserve(plan.samples.size());
  for (const sample_request& sample : plan.samples) {
    const plan_row& row = plan.rows[sample.row];
    sampled_token& drawn = result.sampled.emplace_back();
    drawn.token = state_->options.tokens(sample.params.seed, row.position + row.token_count);
    if (sample.params.logprobs > 0) drawn.top.push_back({drawn.token, 0});  // a script is certain: probability 1
  }
  return state_->begin(state_, &state::steps, std::move(result));
}

ticket_id timing_backend::submit(copy_plan plan) {
  step_result result;
  result.seconds = state_->options.rates.copied_block_s * static_cast<double>(plan.blocks.size());
  return state_->begin(state_, &state::steps, std::move(result));
}

ticket_id timing_backend::submit(transfer_plan plan) {
  step_result result;
  result.seconds = state_->options.rates.moved_block_s * static_cast<double>(plan.moves.size());
  return state_->begin(state_, &state::transfers, std::move(result));
}

}  // namespace troupe::core
