// One pass where one pass will do: greedy looks once at each logit, top-k keeps a small heap, top-p sorts only as far as its mass
// reaches. Draws walk the kept tokens by ascending id, so a draw does not depend on how they were found.
#include "engine/core/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/cpu/exp_f32.hpp"

namespace troupe::core {
namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
constexpr std::size_t heap_max = 1024;  // beyond, a heap in the scan costs more than one partition of the whole

struct candidate {
  float logit = 0;
  token_id token = 0;
  float weight = 0;  ///< e^((logit - largest) / temperature)
};

/// Largest first, equal ones by id: the order of every list and every cut.
bool is_before(const candidate& a, const candidate& b) { return a.logit != b.logit ? a.logit > b.logit : a.token < b.token; }

/// False for what must never be drawn: masked tokens, and NaN of a broken model.
bool is_drawable(float logit) { return logit > minus_infinity; }

/// Kept per thread, so that sampling allocates nothing once a thread has seen its vocabulary.
struct scratch {
  std::vector<candidate> candidates, top;
  std::vector<float> raw;
  std::vector<std::uint32_t> counts;  ///< per token, all zero between calls
};
scratch& own_scratch() {
  static thread_local scratch mine;
  return mine;
}

candidate find_largest(std::span<const float> logits) {
  candidate best{minus_infinity, 0, 0};
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best.logit) best = {logits[i], static_cast<token_id>(i), 0};
  }
  return best;
}

/// The `count` first drawable tokens by is_before, sorted.
void select_top(std::span<const float> logits, std::size_t count, std::vector<candidate>& into) {
  into.clear();
  if (count == 0) return;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const candidate next{logits[i], static_cast<token_id>(i), 0};
    if (!is_drawable(next.logit)) continue;
    if (count > heap_max || into.size() < count) {
      into.push_back(next);
      if (count <= heap_max) std::push_heap(into.begin(), into.end(), is_before);
    } else if (next.logit > into.front().logit) {  // an equal logit with a larger id comes after
      std::pop_heap(into.begin(), into.end(), is_before);
      into.back() = next;
      std::push_heap(into.begin(), into.end(), is_before);
    }
  }
  if (into.size() > count) {
    std::nth_element(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(count), into.end(), is_before);
    into.resize(count);
  }
  std::sort(into.begin(), into.end(), is_before);
}

void penalise(std::span<float> logits, const sampling_params& params, std::span<const token_id> prompt, std::span<const token_id> output) {
  constexpr std::uint32_t seen = 1U << 31;
  auto& counts = own_scratch().counts;
  if (counts.size() < logits.size()) counts.resize(logits.size(), 0);
  const auto is_known = [&](token_id token) { return token >= 0 && static_cast<std::size_t>(token) < logits.size(); };
  const auto at = [&](token_id token) -> std::uint32_t& { return counts[static_cast<std::size_t>(token)]; };
  for (const auto token : prompt) {
    if (is_known(token)) at(token) |= seen;
  }
  for (const auto token : output) {
    if (is_known(token)) at(token) = (at(token) | seen) + 1;
  }
  // Each token once: its count is cleared when it is done.
  const auto apply = [&](token_id token) {
    if (!is_known(token) || at(token) == 0) return;
    const auto times = at(token) & ~seen;
    at(token) = 0;
    auto& logit = logits[static_cast<std::size_t>(token)];
    if (params.repetition_penalty > 0) logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    if (times > 0) logit -= params.presence_penalty + params.frequency_penalty * static_cast<float>(times);
  };
  for (const auto token : prompt) apply(token);
  for (const auto token : output) apply(token);
}

/// Cuts sorted, weighted candidates to the smallest head whose mass reaches top_p of `total`. Returns false when the candidates
/// end before.
bool cut_nucleus(std::vector<candidate>& sorted, double mass) {
  double sum = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i].weight;
    if (sum >= mass) {
      sorted.resize(i + 1);
      return true;
    }
  }
  return false;
}

class drawing {
 public:
  drawing(std::span<const float> logits, const sampling_params& params, candidate largest)
      : logits_(logits), params_(params), largest_(largest), kept_(own_scratch().candidates) {}

  token_id draw(double uniform) {
    const bool cuts_k = params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < logits_.size();
    const bool cuts_p = params_.top_p < 1.0F;
    if (cuts_k) {
      select(static_cast<std::size_t>(params_.top_k));
      if (cuts_p) cut_nucleus(kept_, mass_of(total_of(kept_)));
    } else if (cuts_p) {
      select_nucleus();
    } else {
      select_all();
    }
    // The largest weight is 1, so min_p is the threshold itself.
    if (params_.min_p > 0) std::erase_if(kept_, [&](const auto& one) { return one.weight < params_.min_p && one.token != largest_.token; });
    if (cuts_k || cuts_p) std::sort(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.token < b.token; });
    return walk(uniform);
  }

 private:
  [[nodiscard]] float weight_of(float logit) const { return exp_f32((logit - largest_.logit) / params_.temperature); }
  [[nodiscard]] double mass_of(double total) const { return static_cast<double>(params_.top_p) * total; }
  static double total_of(const std::vector<candidate>& candidates) {
    double total = 0;
    for (const auto& one : candidates) total += one.weight;
    return total;
  }
  void select(std::size_t count) {
    select_top(logits_, count, kept_);
    for (auto& one : kept_) one.weight = weight_of(one.logit);
  }
  void select_all() {
    kept_.clear();
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      if (is_drawable(logits_[i])) kept_.push_back({logits_[i], static_cast<token_id>(i), weight_of(logits_[i])});
    }
  }
  /// Few tokens hold the mass of a trained model: widen the sorted head until it reaches.
  void select_nucleus() {
    double total = 0;
    for (const auto logit : logits_) total += is_drawable(logit) ? weight_of(logit) : 0;
    for (std::size_t count = 64;; count *= 8) {
      select(std::min(count, logits_.size()));
      if (cut_nucleus(kept_, mass_of(total)) || count >= logits_.size()) return;
    }
  }
  [[nodiscard]] token_id walk(double uniform) const {
    const double target = uniform * total_of(kept_);
    double sum = 0;
    for (const auto& one : kept_) {
      sum += one.weight;
      if (sum > target) return one.token;
    }
    return largest_.token;
  }

  std::span<const float> logits_;
  const sampling_params& params_;
  candidate largest_;
  std::vector<candidate>& kept_;
};

/// Logprobs of the distribution as the model gave it.
void report(std::span<const float> raw, std::int32_t count, sampled_token& into) {
  const auto largest = find_largest(raw);
  double total = 0;
  for (const auto logit : raw) total += is_drawable(logit) ? exp_f32(logit - largest.logit) : 0;
  const double normaliser = static_cast<double>(largest.logit) + std::log(total);
  const auto logprob = [&](float logit) { return static_cast<float>(static_cast<double>(logit) - normaliser); };
  auto& top = own_scratch().top;
  select_top(raw, static_cast<std::size_t>(count), top);
  into.logprob = logprob(raw[static_cast<std::size_t>(into.token)]);
  into.top.reserve(top.size());
  for (const auto& one : top) into.top.push_back({one.token, logprob(one.logit)});
}

std::uint64_t mix(std::uint64_t value) noexcept {
  // The finaliser of SplitMix64: every input bit reaches every output bit.
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

double uniform_at(std::uint64_t seed, std::uint64_t position) noexcept {
  // 2^64 / golden ratio spreads neighbouring positions and seeds; the second round keys the position by the mixed seed, so that
  // (seed, position + 1) and (seed + 1, position) have nothing in common.
  constexpr std::uint64_t step = 0x9e3779b97f4a7c15ULL;
  const auto key = mix(seed + step);
  const auto bits = mix(mix(position * step + key) ^ key);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

sampled_token sample(std::span<float> logits, const sampling_params& params, std::uint64_t position, std::span<const token_id> prompt,
                     std::span<const token_id> output) {
  std::span<const float> raw = logits;
  if (params.needs_history()) {
    if (params.logprobs >= 0) {
      auto& copy = own_scratch().raw;
      copy.assign(logits.begin(), logits.end());
      raw = copy;
    }
    penalise(logits, params, prompt, output);
  }
  sampled_token result;
  const auto largest = find_largest(logits);
  result.token = largest.token;
  // An infinite logit leaves nothing to draw: the differences to it are not numbers.
  if (params.temperature > 0 && std::isfinite(largest.logit)) {
    result.token = drawing(logits, params, largest).draw(uniform_at(params.seed, position));
  }
  if (params.logprobs >= 0) report(raw, params.logprobs, result);
  return result;
}

}  // namespace troupe::core
