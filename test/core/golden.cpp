// A trained model against the tokens and logits that an independent float64 program computed for it.
#include <doctest/doctest.h>

#include <cstdlib>

#include "engine/core/model/mapped_file.hpp"
#include "test/support/forward_runner.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

struct golden {
  std::shared_ptr<const core::model> model;
  std::vector<token_id> tokens;  ///< the input at each position
  nlohmann::json steps;
};

/// Nothing when the test models are absent.
std::optional<golden> load_golden() {
  const char* shared = std::getenv("TROUPE_SHARED");
  const auto folder = std::filesystem::path(shared != nullptr ? shared : "") / "models" / "stories260K";
  if (shared == nullptr || !std::filesystem::exists(folder)) {
    MESSAGE("skipped: TROUPE_SHARED does not lead to models/stories260K");
    return std::nullopt;
  }
  const auto loaded = load_model(folder);
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  const auto text = read_text_file(folder / "stories260K_golden.json", 1 << 20);
  REQUIRE(text);
  golden result{*loaded, {}, nlohmann::json::parse(*text).at("steps")};
  for (const auto& step : result.steps) result.tokens.push_back(step.at("in").get<token_id>());
  REQUIRE(result.tokens.size() == 256);
  return result;
}

token_id largest(const std::vector<float>& logits) {
  return static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void check_golden(const golden& golden, const test::decoded_alone& alone) {
  double furthest = 0;
  for (std::size_t i = 0; i < golden.tokens.size(); ++i) {
    CAPTURE(i);
    const auto& top = golden.steps[i].at("top5");
    REQUIRE(top.size() == 5);
    for (const auto& [token, logit] : top.get<std::vector<std::pair<std::size_t, double>>>()) {
      const auto difference = std::abs(static_cast<double>(alone.logits[i][token]) - logit);
      CHECK(difference < 1e-3);
      furthest = std::max(furthest, difference);
    }
    CHECK(largest(alone.logits[i]) == top[0][0].get<token_id>());
    if (i + 1 < golden.tokens.size()) CHECK(largest(alone.logits[i]) == golden.tokens[i + 1]);
  }
  MESSAGE("largest difference of a golden logit: " << furthest);
}

}  // namespace

TEST_CASE("greedy decoding from BOS gives the golden tokens and logits in every table") {
  const auto golden = load_golden();
  if (!golden) return;
  for (const auto instructions : test::available_instructions()) {
    CAPTURE(find_kernels(numeric_type::f32, instructions)->name);
    check_golden(*golden, test::decode_alone(golden->model, golden->tokens, instructions));
  }
}

TEST_CASE("chunked prefill of the golden text has the bits of decoding") {
  const auto golden = load_golden();
  if (!golden) return;
  const auto alone = test::decode_alone(golden->model, golden->tokens);
  for (const std::uint32_t chunk : {1U, 3U, 7U, 31U, 32U, 33U, 256U}) {
    for (const std::uint32_t threads : {1U, 2U}) {
      CAPTURE(chunk);
      CAPTURE(threads);
      test::forward_runner runner(golden->model, {.threads = threads, .shuffle = chunk});
      const auto sequence = runner.add(golden->tokens);
      for (std::size_t computed = 0; runner.remaining(sequence) > 0;) {
        const auto count = std::min(chunk, runner.remaining(sequence));
        computed += count;
        REQUIRE(runner.step({{sequence, count}}).front() == alone.logits[computed - 1]);
      }
      CHECK(runner.kv_of(sequence) == alone.kv);
    }
  }
}

TEST_CASE("the fingerprint names config, headers and content") {
  const auto golden = load_golden();
  if (!golden) return;
  const auto again = load_golden();
  CHECK(golden->model->fingerprint == again->model->fingerprint);
  CHECK(golden->model->end_tokens() == std::vector<token_id>{1, 2});
  CHECK(golden->model->config.bos == std::optional<token_id>(1));
}
