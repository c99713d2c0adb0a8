// The four families against an independent float64 forward pass, and batch invariance: a row's bits do not depend on
// batch, chunk, thread count, tile, block size or the physical order of blocks.
#include <doctest/doctest.h>

#include <numbers>

#include "test/support/forward_runner.hpp"
#include "test/support/reference_forward.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

std::shared_ptr<const model> load(const test::tiny_model& tiny, numeric_type type = numeric_type::f32) {
  const test::temporary_folder folder;
  test::write_tiny(tiny, folder.path);
  auto loaded = load_model(folder.path, type);
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  return *loaded;
}

std::vector<token_id> random_tokens(std::uint64_t seed, std::size_t count, std::uint32_t vocabulary) {
  test::random_source random{seed};
  std::vector<token_id> tokens(count);
  for (auto& token : tokens) token = static_cast<token_id>(random.below(vocabulary));
  return tokens;
}

/// The largest difference, relative to the largest logit of its row.
double distance(const std::vector<std::vector<float>>& got, const std::vector<test::row>& want) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double scale = 0, difference = 0;
    for (std::size_t j = 0; j < want[i].size(); ++j) {
      scale = std::max(scale, std::abs(want[i][j]));
      difference = std::max(difference, std::abs(static_cast<double>(got[i][j]) - want[i][j]));
    }
    worst = std::max(worst, difference / scale);
  }
  return worst;
}

void check_against_reference(const test::tiny_spec& spec, std::size_t count, const std::function<double(double)>& scale = {}) {
  const auto tiny = test::make_tiny(spec);
  test::reference_forward reference(tiny);
  if (scale) reference.scale_frequency = scale;
  const auto tokens = random_tokens(spec.seed + 77, count, spec.vocabulary);
  const auto want = reference.run(tokens);
  const auto model = load(tiny);
  for (const auto instructions : test::available_instructions()) {
    CAPTURE(find_kernels(numeric_type::f32, instructions)->name);
    const auto error = distance(test::decode_alone(model, tokens, instructions).logits, want);
    CAPTURE(error);
    CHECK(error < 1e-4);
    CHECK(error > 0);  // float32 against float64: equal bits would mean that one is the other
  }
}

test::tiny_spec qwen3() {
  test::tiny_spec spec;
  spec.architecture = "Qwen3ForCausalLM";
  spec.model_type = "qwen3";
  spec.qk_norm = true;
  return spec;
}

}  // namespace

TEST_CASE("a Llama computes what the reference computes") { check_against_reference({}, 60); }

TEST_CASE("a Llama with biases everywhere and tied embeddings") {
  test::tiny_spec spec;
  spec.qkv_bias = spec.output_bias = spec.mlp_bias = spec.tied = true;
  spec.extra = {{"attention_bias", true}, {"mlp_bias", true}};
  check_against_reference(spec, 40);
}

TEST_CASE("a Mistral with a window as long as its context") {
  test::tiny_spec spec;
  spec.architecture = "MistralForCausalLM";
  spec.model_type = "mistral";
  spec.extra = {{"sliding_window", 512}};
  spec.seed = 3;
  check_against_reference(spec, 40);
}

TEST_CASE("a Qwen2 with biases of query, key and value, in bfloat16 shards") {
  test::tiny_spec spec;
  spec.architecture = "Qwen2ForCausalLM";
  spec.model_type = "qwen2";
  spec.qkv_bias = spec.tied = true;
  spec.theta = 1e6;
  spec.dtype = "BF16";
  spec.shards = 3;
  spec.seed = 4;
  spec.extra = {{"use_sliding_window", false}, {"sliding_window", 8}};
  check_against_reference(spec, 40);
}

TEST_CASE("a Qwen3 with norms of query and key, in float16") {
  auto spec = qwen3();
  spec.dtype = "F16";
  spec.seed = 5;
  spec.head_dim = 16;  // wider than hidden / heads
  check_against_reference(spec, 40);
}

TEST_CASE("attention over several parts of a long sequence") {
  test::tiny_spec spec;
  spec.layers = 1;
  spec.seed = 6;
  check_against_reference(spec, 2 * attention_split + 37);
}

TEST_CASE("odd shapes: head_dim 64, one KV head, widths that are no multiple of 16") {
  test::tiny_spec spec;
  spec.hidden = 37;
  spec.intermediate = 53;
  spec.heads = 3;
  spec.kv_heads = 1;
  spec.head_dim = 64;
  spec.vocabulary = 101;
  spec.seed = 7;
  check_against_reference(spec, 35);
  spec.hidden = 7;
  spec.intermediate = 5;
  spec.heads = spec.layers = 1;
  spec.head_dim = 2;
  spec.vocabulary = 3;
  spec.extra = {{"eos_token_id", nullptr}};
  check_against_reference(spec, 35);
}

TEST_CASE("head_dim is derived from hidden and heads when it is absent") {
  test::tiny_spec spec;
  spec.extra = {{"head_dim", nullptr}};
  check_against_reference(spec, 20);
}

TEST_CASE("linear rope scaling divides every frequency, under its new and its legacy name") {
  test::tiny_spec spec;
  spec.seed = 8;
  const auto quarter = [](double frequency) { return frequency / 4; };
  spec.extra = {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}};
  check_against_reference(spec, 40, quarter);
  spec.extra = {{"rope_scaling", {{"rope_type", "linear"}, {"factor", 4}}}};
  check_against_reference(spec, 40, quarter);
  spec.extra = {{"rope_theta", nullptr}, {"rope_parameters", {{"rope_type", "linear"}, {"factor", 4}, {"rope_theta", 500.0}}}};
  spec.theta = 500;
  spec.extra["rope_theta"] = nullptr;
  check_against_reference(spec, 40, quarter);
}

TEST_CASE("llama3 rope scaling keeps short waves, stretches long ones and blends between") {
  test::tiny_spec spec;
  spec.head_dim = 32;
  spec.seed = 9;
  spec.extra = {{"rope_scaling",
                 {{"rope_type", "llama3"},
                  {"factor", 8.0},
                  {"low_freq_factor", 1.0},
                  {"high_freq_factor", 4.0},
                  {"original_max_position_embeddings", 64}}}};
  int kept = 0, stretched = 0, blended = 0;
  check_against_reference(spec, 80, [&](double frequency) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < 64.0 / 4) return ++kept, frequency;
    if (wavelength > 64.0 / 1) return ++stretched, frequency / 8;
    const double smooth = (64 / wavelength - 1) / (4 - 1);
    return ++blended, (1 - smooth) * frequency / 8 + smooth * frequency;
  });
  CHECK(kept > 0);
  CHECK(stretched > 0);
  CHECK(blended > 0);
}

namespace {

void check_mixed_batches(numeric_type type, instruction_set instructions) {
  auto spec = qwen3();
  spec.layers = 2;
  const auto model = load(test::make_tiny(spec), type);
  std::vector<std::vector<token_id>> prompts;
  std::vector<test::decoded_alone> alone;
  test::random_source random{21};
  for (std::size_t i = 0; i < 16; ++i) {
    prompts.push_back(random_tokens(100 + i, 1 + random.below(300), spec.vocabulary));
    alone.push_back(test::decode_alone(model, prompts.back(), instructions));
  }
  const std::vector<test::runner_options> runs{{.threads = 1, .block_count = 200, .shuffle = 1},
                                               {.threads = 2, .block_count = 200, .shuffle = 2},
                                               {.threads = 3, .block_tokens = 16, .block_count = 400, .tile_tokens = 7, .shuffle = 3},
                                               {.threads = 2, .block_tokens = 5, .block_count = 1200, .tile_tokens = 1000, .shuffle = 4}};
  for (auto options : runs) {
    options.instructions = instructions;
    CAPTURE(options.shuffle);
    test::forward_runner runner(model, options);
    for (const auto& prompt : prompts) runner.add(prompt);
    std::vector<std::size_t> computed(prompts.size(), 0);
    for (std::size_t step = 0;; ++step) {
      std::vector<test::forward_runner::part> parts;
      const auto rows_max = 1 + step % 16;
      for (std::size_t i = 0; i < prompts.size() && parts.size() < rows_max; ++i) {
        const auto sequence = (i * 5 + step) % prompts.size();
        const auto wanted = random.below(2) == 0 ? 1 : 1 + random.below(70);
        const auto count = std::min<std::uint32_t>(runner.remaining(sequence), static_cast<std::uint32_t>(wanted));
        if (count > 0) parts.push_back({sequence, count});
      }
      if (parts.empty()) break;
      const auto logits = runner.step(parts);
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto sequence = parts[i].sequence;
        computed[sequence] += parts[i].tokens;
        REQUIRE(logits[i] == alone[sequence].logits[computed[sequence] - 1]);
      }
    }
    for (std::size_t i = 0; i < prompts.size(); ++i) CHECK(runner.kv_of(i) == alone[i].kv);
  }
}

}  // namespace

TEST_CASE("mixed batches of 1 to 16 rows have the bits of decoding alone, in every table") {
  for (const auto type : {numeric_type::f32, numeric_type::bf16}) {
    for (const auto instructions : test::available_instructions()) {
      CAPTURE(find_kernels(type, instructions)->name);
      check_mixed_batches(type, instructions);
    }
  }
}

TEST_CASE("bfloat16 keeps a bfloat16 checkpoint's weights and rounds only K and V") {
  auto spec = qwen3();
  spec.dtype = "BF16";
  spec.seed = 11;
  const auto tiny = test::make_tiny(spec);
  test::reference_forward reference(tiny);
  const auto tokens = random_tokens(12, 200, spec.vocabulary);
  const auto want = reference.run(tokens);
  const auto model = load(tiny, numeric_type::bf16);
  for (const auto instructions : test::available_instructions()) {
    const auto error = distance(test::decode_alone(model, tokens, instructions).logits, want);
    CAPTURE(find_kernels(numeric_type::bf16, instructions)->name);
    CAPTURE(error);
    CHECK(error < 1e-2);
    CHECK(error > 1e-5);
  }
}
