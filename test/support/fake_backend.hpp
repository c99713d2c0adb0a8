// A backend for tests that completes steps in random order and makes cache corruption visible. Each (block, offset) remembers the
// token written there and the chained hash of all tokens before; a row whose table does not hold one unbroken chain is a violation.
// The token drawn at a position is a function of that hash, so a sequence's output proves what its KV held.
#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/backend.hpp"

namespace troupe::core {

class fake_backend : public backend {
 public:
  fake_backend(std::uint32_t block_count, std::uint32_t block_tokens, std::uint32_t slots, std::uint32_t vocabulary, std::uint64_t seed)
      : traits_{"fake", block_count, block_tokens, slots, vocabulary, block_tokens * sizeof(cell)},
        cells_(std::size_t{block_count} * block_tokens),
        slots_(slots),
        random_(seed) {}

  static std::uint64_t chain(std::uint64_t before, token_id token) {
    std::uint64_t mixed = (before ^ static_cast<std::uint32_t>(token)) * 0x9E3779B97F4A7C15ULL + 0x632BE59BD9B4E019ULL;
    return mixed ^ mixed >> 29;
  }
  static token_id draw(std::uint64_t hash, const sampling_params& params, std::uint32_t vocabulary) {
    return static_cast<token_id>(chain(hash ^ params.seed * 0xD6E8FEB86659FD93ULL, 7) % vocabulary);
  }

  [[nodiscard]] const backend_traits& traits() const noexcept override { return traits_; }

  ticket_id submit(step_plan plan) override {
    if (std::ranges::count(in_flight_, false, &running::is_transfer) >= 2) violate("three steps are in flight");
    const ticket_id ticket{++tickets_};
    running step;
    step.ticket = ticket;
    sampled_now_.clear();
    for (std::size_t row = 0, sample = 0; row < plan.rows.size(); ++row) {
      const bool samples = sample < plan.samples.size() && plan.samples[sample].row == row;
      const std::uint64_t hash = execute(plan, plan.rows[row], step);
      if (samples) draw_sample(plan, plan.rows[row], plan.samples[sample++], hash, step);
      tokens_computed += plan.rows[row].token_count;
    }
    if (step.result.sampled.size() != plan.samples.size()) violate("a sample names no row, or samples are out of order");
    for (const auto& [slot, token] : sampled_now_) slots_[slot] = {tickets_, token};
    step.result.seconds = step_s;
    in_flight_.push_back(std::move(step));
    return ticket;
  }

  ticket_id submit(copy_plan) override {
    violate("the scheduler asked for a copy");
    return {++tickets_};
  }

  /// What goes up is read at once, what comes down is there when its ticket completes: a step that reads it earlier is a violation.
  ticket_id submit(transfer_plan plan) override {
    const ticket_id ticket{(std::uint64_t{1} << 62) + ++transfers_};
    running moved{.ticket = ticket, .is_transfer = true};
    for (const auto& move : plan.moves) {
      if (move.block >= traits_.block_count || move.host == nullptr) {
        violate("a transfer names no block or no memory");
        continue;
      }
      moved.used[move.block] = traits_.block_tokens;
      if (plan.to == transfer_plan::direction::to_host)
        std::memcpy(move.host, cells_of(move.block), traits_.block_bytes);
      else
        moved.arriving.push_back(move);
    }
    moved.result.seconds = 0.0001;
    in_flight_.push_back(std::move(moved));
    return ticket;
  }

  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Ends one step in flight, any of them. There must be one.
  std::pair<ticket_id, step_result> complete_one() {
    const std::size_t at = random_() % in_flight_.size();
    for (const auto& move : in_flight_[at].arriving) std::memcpy(cells_of(move.block), move.host, traits_.block_bytes);
    std::pair<ticket_id, step_result> done{in_flight_[at].ticket, std::move(in_flight_[at].result)};
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(at));
    return done;
  }

  std::vector<std::string> violations;  ///< of the contract or of a block's content
  std::uint64_t tokens_computed = 0;
  double step_s = 0.001;  ///< that a step says it took

 private:
  struct cell {
    std::uint64_t before = 0, hash = 0;
    token_id token = -1;
  };
  struct slot_token {
    std::uint64_t ticket = 0;
    token_id token = -1;
  };
  struct running {
    ticket_id ticket;
    step_result result;
    std::unordered_map<block_index, std::uint32_t> used;  ///< offsets below are read or written
    bool is_transfer = false;
    std::vector<transfer_plan::move> arriving;
  };

  void violate(std::string what) {
    if (violations.size() < 20) violations.push_back("ticket " + std::to_string(tickets_) + ": " + std::move(what));
  }

  cell* cells_of(block_index block) { return &cells_[std::size_t{block} * traits_.block_tokens]; }

  cell& at(const step_plan& plan, const plan_row& row, std::uint32_t position) {
    const block_index block = plan.block_tables[row.table_begin + position / traits_.block_tokens];
    return cells_[std::size_t{block} * traits_.block_tokens + position % traits_.block_tokens];
  }

  token_id resolve(token_id token) {
    if (token >= 0) return token;
    const slot_token& held = slots_[slot_of(token)];
    if (held.ticket + 1 != tickets_) violate("a slot did not sample in the previous step");
    return held.token;
  }

  /// Verifies [0, position), writes the rest; the chained hash after the last token.
  std::uint64_t execute(const step_plan& plan, const plan_row& row, running& step) {
    const std::uint32_t end = row.position + row.token_count;
    const std::uint32_t width = traits_.block_tokens;
    if (row.slot >= traits_.slots) violate("a slot is out of range");
    if (row.token_count == 0 || row.table_count != (end + width - 1) / width) {
      violate("a table does not cover its row");
      return 0;
    }
    std::uint64_t hash = 0;
    for (std::uint32_t position = 0; position < row.position; ++position) {
      const cell& held = at(plan, row, position);
      if (held.token < 0 || held.before != hash || held.hash != chain(hash, held.token)) {
        violate("position " + std::to_string(position) + " of slot " + std::to_string(row.slot) + " holds another chain's content");
        return 0;
      }
      hash = held.hash;
    }
    for (std::uint32_t position = row.position; position < end; ++position) {
      const token_id token = resolve(plan.tokens[row.token_begin + position - row.position]);
      const cell fresh{hash, chain(hash, token), token};
      const block_index block = plan.block_tables[row.table_begin + position / width];
      for (const running& other : in_flight_) check_overwrite(other.used, block, position % width, fresh);
      check_overwrite(step.used, block, position % width, fresh);
      at(plan, row, position) = fresh;
      hash = fresh.hash;
    }
    for (std::uint32_t index = 0; index < row.table_count; ++index) {
      std::uint32_t& used = step.used[plan.block_tables[row.table_begin + index]];
      used = std::max(used, std::min(width, end - index * width));
    }
    return hash;
  }

  void check_overwrite(const std::unordered_map<block_index, std::uint32_t>& used, block_index block, std::uint32_t offset,
                       const cell& fresh) {
    const auto found = used.find(block);
    if (found == used.end() || offset >= found->second) return;
    if (cells_[std::size_t{block} * traits_.block_tokens + offset].hash != fresh.hash) {
      violate("block " + std::to_string(block) + " is overwritten while a ticket names it");
    }
  }

  void draw_sample(const step_plan& plan, const plan_row& row, const sample_request& sample, std::uint64_t hash, running& step) {
    const std::uint32_t end = row.position + row.token_count;
    if (sample.params.needs_history()) {
      if (sample.history_prompt + sample.history_output != end) violate("a history has another length than its sequence");
      for (std::uint32_t i = 0; i < end && i < sample.history_prompt + sample.history_output; ++i) {
        if (plan.history[sample.history_begin + i] != at(plan, row, i).token) violate("a history differs from its sequence");
      }
    }
    const token_id token = draw(hash, sample.params, traits_.vocabulary);
    step.result.sampled.push_back({token, 0, {}});
    sampled_now_.emplace_back(row.slot, token);
  }

  backend_traits traits_;
  std::vector<cell> cells_;
  std::vector<slot_token> slots_;
  std::vector<running> in_flight_;
  std::vector<std::pair<std::uint32_t, token_id>> sampled_now_;
  std::mt19937_64 random_;
  std::uint64_t tickets_ = 0, transfers_ = 0;
};

}  // namespace troupe::core
