// A pool, a scheduler and the fake backend wired as a worker wires them, with the plain loop that says what a sequence must answer.
#pragma once

#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/scheduler.hpp"
#include "test/support/fake_backend.hpp"

namespace troupe::core {

struct rig_options {
  std::uint32_t blocks = 64, block_tokens = 4, vocabulary = 50;
  scheduler_options scheduling{.step_tokens_max = 16, .prefill_chunk_max = 16, .running_max = 4, .waiting_max = 64};
  std::uint64_t seed = 1;
  std::string retention = "lru";
};

struct scheduler_rig {
  struct answer {
    std::vector<token_id> tokens;
    std::optional<sequence_started> started;
    std::optional<finish_reason> reason;
    failure error;
    std::uint32_t next_index = 0;
  };

  explicit scheduler_rig(const rig_options& chosen = {})
      : options(chosen),
        pool({.block_count = chosen.blocks, .block_tokens = chosen.block_tokens, .retention = chosen.retention}),
        sched(chosen.scheduling, pool),
        backend(chosen.blocks, chosen.block_tokens, chosen.scheduling.running_max, chosen.vocabulary, chosen.seed),
        hasher(std::uint64_t{5}, chosen.block_tokens) {}

  [[nodiscard]] sequence_spec spec(std::uint64_t id, std::vector<token_id> tokens, std::uint32_t tokens_max) const {
    sequence_spec made{.id = {id},
                       .tokens = std::move(tokens),
                       .chain = {},
                       .hasher = hasher,
                       .owner = {id},
                       .sampling = {},
                       .tokens_max = tokens_max,
                       .stop_tokens = {}};
    hasher.extend(made.chain, made.tokens);
    return made;
  }
  static std::vector<token_id> letters(token_id first, std::size_t count) {
    std::vector<token_id> tokens(count);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
  }

  /// The output of a sequence that runs alone, with its finish reason: one token after the other, no cache, no pool.
  [[nodiscard]] std::pair<std::vector<token_id>, finish_reason> alone(const sequence_spec& of) const {
    std::uint64_t hash = 0;
    for (const token_id token : of.tokens) hash = fake_backend::chain(hash, token);
    std::vector<token_id> output(of.tokens.end() - of.continued, of.tokens.end());
    while (output.size() < of.tokens_max) {
      const token_id token = fake_backend::draw(hash, of.sampling, options.vocabulary);
      const bool stops = std::ranges::find(of.stop_tokens, token) != of.stop_tokens.end();
      if (stops && output.size() >= of.tokens_min) return {output, finish_reason::stop};
      output.push_back(token);
      hash = fake_backend::chain(hash, token);
    }
    return {output, finish_reason::length};
  }

  expected<std::monostate> admit(const sequence_spec& asked) {
    auto result = sched.admit(asked);
    if (result) expect(asked);
    return result;
  }
  /// Its events will come.
  void expect(const sequence_spec& asked) {
    if (answers.contains(asked.id.value)) return;
    answer& fresh = answers[asked.id.value];
    fresh.tokens.assign(asked.tokens.end() - asked.continued, asked.tokens.end());
    fresh.next_index = asked.continued;
  }

  /// Plans and submits one step; false when there is none.
  bool plan_one() {
    std::vector<sequence_event> events;
    auto plan = sched.plan(now, events);
    take(events);
    if (!plan) return false;
    last_plan = *plan;
    const std::size_t tokens = plan->tokens.size();
    const ticket_id ticket = backend.submit(std::move(*plan));
    tokens_of[ticket.value] = tokens;
    sched.submitted(ticket);
    return true;
  }
  bool complete_one() {
    return complete_one([](ticket_id, const step_result&) { return false; });
  }
  /// `is_transfer` takes what is none of the scheduler's.
  template <class Transfer>
  bool complete_one(Transfer is_transfer) {
    if (backend.in_flight() == 0) return false;
    auto [ticket, result] = backend.complete_one();
    if (!fail_next) tokens_completed += tokens_of[ticket.value];
    if (fail_next) result = {*std::exchange(fail_next, {}), "as asked", {}, 0};
    std::vector<sequence_event> events;
    if (!is_transfer(ticket, result)) sched.complete(ticket, result, events);
    take(events);
    return true;
  }
  void cancel(std::uint64_t id, finish_reason why = finish_reason::cancelled) {
    std::vector<sequence_event> events;
    sched.cancel({id}, why, events);
    take(events);
  }
  /// Until nothing is left, two steps in flight where possible; false when that takes more than `steps_max` steps.
  bool run(int steps_max = 10'000) {
    while (!sched.idle() && steps_max-- > 0) {
      while (plan_one()) {
      }
      if (!complete_one() && !sched.idle()) return false;  // nothing in flight and nothing planned: stuck
    }
    return sched.idle();
  }

  /// The first violation of anybody's invariants, or nothing.
  [[nodiscard]] std::string fault(const std::vector<std::uint32_t>& other_leases = {}) const {
    if (!backend.violations.empty()) return backend.violations.front();
    if (!faults.empty()) return faults.front();
    return sched.check_integrity(other_leases).value_or("");
  }

  rig_options options;
  block_pool pool;
  scheduler sched;
  fake_backend backend;
  block_hasher hasher;
  instant now{0};
  std::map<std::uint64_t, answer> answers;
  std::vector<std::string> faults;   ///< of the event stream
  std::vector<std::uint64_t> ended;  ///< in order
  step_plan last_plan;
  std::map<std::uint64_t, std::size_t> tokens_of;  ///< ticket -> tokens of its step
  std::uint64_t tokens_completed = 0;              ///< of steps that did not fail
  std::optional<errc> fail_next;

  void take(const std::vector<sequence_event>& events) {
    for (const auto& event : events) std::visit([this](const auto& each) { note(each); }, event);
  }

 private:
  void note(const sequence_started& event) {
    if (answers[event.id.value].started) faults.push_back("a sequence started twice");
    answers[event.id.value].started = event;
  }
  void note(const sequence_token& event) {
    answer& of = answers[event.id.value];
    if (of.reason || !of.started) faults.push_back("a token came before the start or after the end");
    if (event.index != of.next_index++) faults.push_back("a token has the wrong index");
    of.tokens.push_back(event.token.token);
  }
  void note(const sequence_ended& event) {
    answer& of = answers[event.id.value];
    if (of.reason) faults.push_back("a sequence ended twice");
    of.reason = event.reason;
    of.error = event.error;
    ended.push_back(event.id.value);
  }
};

}  // namespace troupe::core
