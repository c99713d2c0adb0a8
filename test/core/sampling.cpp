#include "engine/core/sampling.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "test/support/tiny_model.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
using logits = std::vector<float>;

sampling_params greedy() {
  sampling_params params;
  params.temperature = 0;
  return params;
}

sampled_token draw(logits values, const sampling_params& params, std::uint64_t position = 0, const std::vector<token_id>& prompt = {},
                   const std::vector<token_id>& output = {}) {
  return sample(values, params, position, prompt, output);
}

/// The specification, step by step and with a full sort: which token a draw must give.
token_id expected_draw(const logits& values, const sampling_params& params, std::uint64_t position) {
  std::vector<token_id> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](token_id t) { return static_cast<double>(values[static_cast<std::size_t>(t)]); };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logit(a) > logit(b); });
  const double largest = logit(order.front());
  const auto weight = [&](token_id t) { return std::exp((logit(t) - largest) / static_cast<double>(params.temperature)); };
  if (params.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(params.top_k)));
  double total = 0, sum = 0;
  for (const auto t : order) total += weight(t);
  std::vector<token_id> kept;
  for (const auto t : order) {
    if (sum >= static_cast<double>(params.top_p) * total && params.top_p < 1) break;
    sum += weight(t);
    kept.push_back(t);
  }
  std::erase_if(kept, [&](auto t) { return weight(t) < static_cast<double>(params.min_p); });
  std::sort(kept.begin(), kept.end());
  double mass = 0, reached = 0;
  for (const auto t : kept) mass += weight(t);
  for (const auto t : kept) {
    reached += weight(t);
    if (reached > uniform_at(params.seed, position) * mass) return t;
  }
  return kept.back();
}

}  // namespace

TEST_CASE("greedy takes the smallest id among the largest logits") {
  CHECK(draw({1, 3, 2, 3}, greedy()).token == 1);
  CHECK(draw({-5, -5, -5}, greedy()).token == 0);
  CHECK(draw({-infinity, -infinity, -1}, greedy()).token == 2);
  CHECK(draw({0, infinity, infinity}, greedy()).token == 1);
}

TEST_CASE("logits of a broken model end in a token of the vocabulary") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  sampling_params warm;
  warm.top_p = 0.9F;
  warm.logprobs = 3;
  CHECK(draw({nan, nan}, warm).token == 0);
  CHECK(draw({nan, 1, nan}, warm).token == 1);
  CHECK(draw({-infinity, -infinity}, warm).token == 0);
  CHECK(draw({1, infinity}, warm).token == 1);
  warm.temperature = 1e-40F;
  CHECK(draw({1, 2, 2}, warm).token >= 1);
}

TEST_CASE("a uniform number is a pure function of seed and position") {
  CHECK(uniform_at(7, 9) == uniform_at(7, 9));
  std::set<double> seen;
  double sum = 0;
  std::array<int, 16> bins{};
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    for (std::uint64_t position = 0; position < 1024; ++position) {
      const double u = uniform_at(seed, position);
      REQUIRE(u >= 0.0);
      REQUIRE(u < 1.0);
      seen.insert(u);
      sum += u;
      ++bins[static_cast<std::size_t>(u * 16)];
    }
  }
  CHECK(seen.size() == 64 * 1024);
  CHECK(std::abs(sum / 65536 - 0.5) < 0.005);
  for (const auto bin : bins) CHECK(std::abs(bin - 4096) < 300);  // 4.8 standard deviations
}

TEST_CASE("neighbouring seeds and positions draw independently") {
  double by_position = 0, by_seed = 0, diagonal = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const double u = uniform_at(i, 5) - 0.5;
    by_position += u * (uniform_at(i, 6) - 0.5);
    by_seed += u * (uniform_at(i + 1, 5) - 0.5);
    diagonal += u * (uniform_at(i + 1, 4) - 0.5);
  }
  // Standard deviation of each: 20000 * 1/12 / sqrt(20000) = 11.8.
  CHECK(std::abs(by_position) < 55);
  CHECK(std::abs(by_seed) < 55);
  CHECK(std::abs(diagonal) < 55);
}

TEST_CASE("a plain draw walks the probabilities in the order of ids") {
  // Probabilities 1/2, 1/4, 1/4.
  const logits values{std::log(2.0F), 0, 0};
  sampling_params params;
  for (std::uint64_t position = 0; position < 1000; ++position) {
    const double u = uniform_at(params.seed, position);
    if (std::abs(u - 0.5) < 1e-6 || std::abs(u - 0.75) < 1e-6) continue;
    CHECK(draw(values, params, position).token == (u < 0.5 ? 0 : u < 0.75 ? 1 : 2));
  }
}

TEST_CASE("every combination of filters draws what the specification says") {
  test::random_source random{11};
  for (int round = 0; round < 3000; ++round) {
    logits values(1 + random.below(round % 50 == 0 ? 3000 : 90));
    for (auto& value : values) value = 4 * random.symmetric();
    if (round % 3 == 0) {  // many ties
      for (auto& value : values) value = std::round(value);
    }
    sampling_params params;
    params.seed = random.next();
    params.temperature = 0.1F + std::abs(random.symmetric()) * 2;
    if (random.below(2) == 0) params.top_k = static_cast<std::int32_t>(1 + random.below(values.size() + 5));
    if (random.below(2) == 0) params.top_p = 0.05F + 0.9F * std::abs(random.symmetric());
    if (random.below(2) == 0) params.min_p = std::abs(random.symmetric());
    CAPTURE(round);
    CAPTURE(values.size());
    CHECK(draw(values, params, 3).token == expected_draw(values, params, 3));
  }
}

TEST_CASE("top-k keeps the smallest ids among equal logits") {
  sampling_params params;
  params.top_k = 2;
  std::set<token_id> seen;
  for (std::uint64_t position = 0; position < 200; ++position) seen.insert(draw({1, 1, 1, 1, 0}, params, position).token);
  CHECK(seen == std::set<token_id>{0, 1});
  params.top_k = 1;
  CHECK(draw({0, 2, 2}, params, 5).token == 1);
}

TEST_CASE("top-p is taken of what top-k left, and min-p of what both left") {
  // Probabilities 0.4, 0.3, 0.2, 0.1.
  const logits values{std::log(4.0F), std::log(3.0F), std::log(2.0F), 0};
  const auto support = [&](const sampling_params& params) {
    std::set<token_id> seen;
    for (std::uint64_t position = 0; position < 500; ++position) seen.insert(draw(values, params, position).token);
    return seen;
  };
  sampling_params params;
  params.top_p = 0.6F;
  CHECK(support(params) == std::set<token_id>{0, 1});
  params.top_k = 3;  // the three renormalised: 0.444, 0.333, 0.222
  params.top_p = 0.8F;
  CHECK(support(params) == std::set<token_id>{0, 1, 2});
  params.top_p = 0.75F;
  CHECK(support(params) == std::set<token_id>{0, 1});
  params = {};
  params.min_p = 0.6F;  // of the largest: 0.24
  CHECK(support(params) == std::set<token_id>{0, 1});
  params.min_p = 1;
  CHECK(support(params) == std::set<token_id>{0});
  params = {};
  params.top_p = 1e-9F;
  CHECK(support(params) == std::set<token_id>{0});
}

TEST_CASE("temperature comes before the nucleus is cut") {
  // At temperature 1 the first token has 0.73 of the mass, at 4 only 0.56.
  const logits values{1, 0};
  sampling_params params;
  params.top_p = 0.7F;
  std::set<token_id> cold, hot;
  for (std::uint64_t position = 0; position < 200; ++position) cold.insert(draw(values, params, position).token);
  params.temperature = 4;
  for (std::uint64_t position = 0; position < 200; ++position) hot.insert(draw(values, params, position).token);
  CHECK(cold == std::set<token_id>{0});
  CHECK(hot == std::set<token_id>{0, 1});
}

TEST_CASE("the repetition penalty touches seen tokens once, whatever their sign") {
  auto params = greedy();
  params.repetition_penalty = 2;
  CHECK(draw({3, 2, 1}, params, 0, {0, 0, 0}).token == 1);      // 3 / 2 < 2
  CHECK(draw({3, 1.4F, 1}, params, 0, {0, 0, 0}).token == 0);   // once: 1.5, not 0.375
  CHECK(draw({-1, -1.5F, -9}, params, 0, {}, {0}).token == 1);  // -1 * 2 < -1.5
}

TEST_CASE("presence counts once and frequency each time, of the output alone") {
  auto params = greedy();
  params.presence_penalty = 1;
  CHECK(draw({3, 2.5F}, params, 0, {0, 0}).token == 0);
  CHECK(draw({3, 2.5F}, params, 0, {}, {0}).token == 1);
  CHECK(draw({3, 1.5F}, params, 0, {}, {0, 0, 0}).token == 0);
  params.presence_penalty = 0;
  params.frequency_penalty = 0.5F;
  CHECK(draw({3, 1.8F}, params, 0, {}, {0, 0}).token == 0);
  CHECK(draw({3, 1.8F}, params, 0, {}, {0, 0, 0}).token == 1);
  CHECK(draw({3, 1.8F}, params, 0, {}, {0, 0}).token == 0);  // nothing is left of the call before
  CHECK(draw({3, 1.8F}, params, 0, {-4, 99}, {99, -1}).token == 0);
}

TEST_CASE("logprobs are of the distribution before penalties, temperature and truncation") {
  auto params = greedy();
  params.logprobs = 2;
  params.repetition_penalty = 100;
  params.top_k = 1;
  const logits values{std::log(4.0F), std::log(3.0F), std::log(2.0F), 0};
  const auto sampled = draw(values, params, 0, {0});
  CHECK(sampled.token == 1);
  CHECK(sampled.logprob == doctest::Approx(std::log(0.3)).epsilon(1e-5));
  REQUIRE(sampled.top.size() == 2);
  CHECK(sampled.top[0].token == 0);
  CHECK(sampled.top[0].logprob == doctest::Approx(std::log(0.4)).epsilon(1e-5));
  CHECK(sampled.top[1].token == 1);
  params.logprobs = 0;
  CHECK(draw(values, params, 0, {0}).top.empty());
  CHECK(draw(values, params, 0, {0}).logprob == sampled.logprob);
  params.logprobs = 20;
  CHECK(draw(values, params, 0, {0}).top.size() == 4);
  params.logprobs = -1;
  CHECK(draw(values, params, 0, {0}) == sampled_token{1, 0, {}});
}

TEST_CASE("a draw depends on seed and position and on no call before") {
  test::random_source random{5};
  logits values(500);
  for (auto& value : values) value = 3 * random.symmetric();
  sampling_params params;
  params.seed = 99;
  std::vector<token_id> forwards, backwards;
  for (std::uint64_t p = 0; p < 50; ++p) forwards.push_back(draw(values, params, p).token);
  for (std::uint64_t p = 50; p-- > 0;) backwards.insert(backwards.begin(), draw(values, params, p).token);
  CHECK(forwards == backwards);
  CHECK(std::set<token_id>(forwards.begin(), forwards.end()).size() > 20);
  params.seed = 100;
  CHECK(draw(values, params, 0, {}, {}).token == draw(values, params, 0).token);
}
