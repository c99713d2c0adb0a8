// The five policies. "cost" is the one to use; the others are its yardsticks, and simple enough to be right.
#include "engine/core/routing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace troupe::core {

namespace {

constexpr double prefill_tokens_per_s_unmeasured = 1000;
constexpr double decode_tokens_per_s_unmeasured = 30;
constexpr double onboard_blocks_per_s_unmeasured = 2000;
constexpr double chunk_tokens = 512;                   // scheduler_options::prefill_chunk_max by default
constexpr double reuse_probability = 0.5;              // of an evictable block: most prefixes return, a dead agent's suffix does not
constexpr double missing_block_factor = 2;             // a block that must be preempted is computed again, and its turn waits meanwhile
constexpr double noise_s = 0.005, noise_share = 0.02;  // costs this close are equal: loads are up to 100 ms old

/// Among the candidates `is_best` accepts: the session's last worker, its parent's, or by the caller's random number.
template <class Accept>
std::size_t settle(const route_question& question, std::span<const route_candidate> candidates, Accept is_best) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) count += is_best(candidates[i]);
  for (const auto& wanted : {question.last_worker, question.parent_worker}) {
    for (std::size_t i = 0; wanted && i < candidates.size(); ++i) {
      if (candidates[i].worker == *wanted && is_best(candidates[i])) return i;
    }
  }
  std::size_t skip = count == 0 ? 0 : question.random % count;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (is_best(candidates[i]) && skip-- == 0) return i;
  }
  return 0;
}

std::uint64_t turns_on(const route_candidate& candidate) { return std::uint64_t{candidate.running} + candidate.waiting; }

class round_robin_policy : public routing_policy {
 public:
  std::size_t choose(const route_question&, std::span<const route_candidate> candidates) override { return next_++ % candidates.size(); }

 private:
  std::size_t next_ = 0;
};

class random_policy : public routing_policy {
 public:
  std::size_t choose(const route_question& question, std::span<const route_candidate> candidates) override {
    return question.random % candidates.size();
  }
};

class least_loaded_policy : public routing_policy {
 public:
  std::size_t choose(const route_question& question, std::span<const route_candidate> candidates) override {
    const auto load = [](const route_candidate& each) { return std::pair(turns_on(each), each.prefill_tokens_waiting); };
    const auto least = load(std::ranges::min(candidates, {}, load));
    return settle(question, candidates, [&](const route_candidate& each) { return load(each) == least; });
  }
};

/// The session's last worker, else its parent's, whatever their load; a new session goes where most of its prefix is.
class sticky_policy : public routing_policy {
 public:
  std::size_t choose(const route_question& question, std::span<const route_candidate> candidates) override {
    for (const auto& wanted : {question.last_worker, question.parent_worker}) {
      const auto found = std::ranges::find_if(candidates, [&](const route_candidate& each) { return wanted && each.worker == *wanted; });
      if (found != candidates.end()) return static_cast<std::size_t>(found - candidates.begin());
    }
    const auto rank = [](const route_candidate& each) {
      return std::pair(-(std::int64_t{each.matched_blocks} + each.onboard_blocks), turns_on(each));
    };
    const auto best = rank(std::ranges::min(candidates, {}, rank));
    return settle(question, candidates, [&](const route_candidate& each) { return rank(each) == best; });
  }
};

class cost_policy : public routing_policy {
 public:
  std::size_t choose(const route_question& question, std::span<const route_candidate> candidates) override {
    double least = std::numeric_limits<double>::infinity();
    for (const route_candidate& each : candidates) least = std::min(least, route_cost_s(question, each));
    const double near = least + noise_s + least * noise_share;
    const auto is_wanted = [&](const route_candidate& each) {
      return question.last_worker == each.worker || question.parent_worker == each.worker;
    };
    return settle(question, candidates, [&](const route_candidate& each) {
      const double cost = route_cost_s(question, each);
      return cost <= least || (is_wanted(each) && cost <= near);
    });
  }
};

}  // namespace

double route_cost_s(const route_question& question, const route_candidate& candidate) {
  const auto positive_or = [](double rate, double otherwise) { return rate > 0 ? rate : otherwise; };
  const double prefill_rate = positive_or(candidate.prefill_tokens_per_s, prefill_tokens_per_s_unmeasured);
  const double decode_rate = positive_or(candidate.decode_tokens_per_s, decode_tokens_per_s_unmeasured);
  const double block_tokens = std::max(question.block_tokens, 1U);
  const double matched = (static_cast<double>(candidate.matched_blocks) + candidate.onboard_blocks) * block_tokens;
  const double rest = std::max(question.prompt_tokens - matched, 1.0);  // the last prompt token is always computed

  const double queue_s = static_cast<double>(candidate.prefill_tokens_waiting) / prefill_rate;
  const double onboard_s = candidate.onboard_blocks / positive_or(candidate.onboard_blocks_per_s, onboard_blocks_per_s_unmeasured);
  const double prefill_s = rest / prefill_rate;
  // Each chunk of ours stands in one step of every turn that decodes there, now or soon.
  const double slowdown_s = static_cast<double>(turns_on(candidate)) * std::ceil(rest / chunk_tokens) / decode_rate;
  const double needed = candidate.onboard_blocks + std::ceil((rest + question.output_tokens) / block_tokens);
  const double displaced = std::clamp(needed - candidate.free_blocks, 0.0, static_cast<double>(candidate.evictable_blocks));
  const double missing = std::max(needed - candidate.free_blocks - candidate.evictable_blocks, 0.0);
  const double displaced_s = (displaced * reuse_probability + missing * missing_block_factor) * block_tokens / prefill_rate;
  return queue_s + onboard_s + prefill_s + slowdown_s + displaced_s;
}

std::vector<std::string_view> routing_policy_names() { return {"round_robin", "random", "least_loaded", "sticky", "cost"}; }

std::unique_ptr<routing_policy> make_routing_policy(std::string_view name) {
  if (name == "round_robin") return std::make_unique<round_robin_policy>();
  if (name == "random") return std::make_unique<random_policy>();
  if (name == "least_loaded") return std::make_unique<least_loaded_policy>();
  if (name == "sticky") return std::make_unique<sticky_policy>();
  if (name == "cost") return std::make_unique<cost_policy>();
  return nullptr;
}

}  // namespace troupe::core
