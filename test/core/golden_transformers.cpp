// One tiny random model of every architecture that is served, against the logits and greedy tokens that `transformers` computed for
// it in float32 (scripts/golden/models.py). Both sides sum in float32 in their own order, so logits agree in a measure, tokens exactly.
#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "engine/core/model/mapped_file.hpp"
#include "test/support/forward_runner.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

/// Of a logit, in parts of the largest absolute logit of its position.
constexpr double tolerance = 1e-3;

struct golden_row {
  std::uint32_t position = 0;
  std::vector<float> logits;  ///< after the token at `position`
};

struct golden {
  std::shared_ptr<const core::model> model;
  std::vector<token_id> prompt, greedy;
  std::vector<golden_row> rows;
};

std::filesystem::path models_folder() {
  const char* source = std::getenv("TROUPE_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TROUPE_SOURCE must name the source folder");
  return std::filesystem::path(source) / "test/core/data/models";
}

golden load_golden(const std::string& name) {
  const auto folder = models_folder() / name;
  const auto loaded = load_model(folder, numeric_type::f32);
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  const auto text = read_text_file(folder / "golden.json", 1 << 20);
  REQUIRE_MESSAGE(text, text.error().message);
  const auto json = nlohmann::json::parse(*text);
  golden result{*loaded, json.at("prompt").get<std::vector<token_id>>(), json.at("greedy").get<std::vector<token_id>>(), {}};
  for (const auto& row : json.at("logits")) {
    result.rows.push_back({row.at("position").get<std::uint32_t>(), row.at("logits").get<std::vector<float>>()});
    REQUIRE(result.rows.back().logits.size() == result.model->config.vocabulary);
  }
  REQUIRE(result.prompt.size() == 80);
  REQUIRE(result.greedy.size() == 24);
  REQUIRE(result.rows.size() == 8);
  REQUIRE(result.rows.back().position == 79);
  return result;
}

/// The largest difference of two logits in parts of the largest absolute one; infinite when any is not a number.
double distance(const std::vector<float>& ours, const std::vector<float>& theirs) {
  double furthest = 0, largest = 0;
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (!std::isfinite(ours[i])) return std::numeric_limits<double>::infinity();
    furthest = std::max(furthest, std::abs(static_cast<double>(ours[i]) - theirs[i]));
    largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
  }
  return furthest / largest;
}

token_id likeliest(const std::vector<float>& logits) {
  return static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Prefills in chunks that end where logits are known, then decodes along the golden tokens. The furthest that any logit is off.
double compare(const std::string& name) {
  const auto golden = load_golden(name);
  auto tokens = golden.prompt;
  tokens.insert(tokens.end(), golden.greedy.begin(), golden.greedy.end());
  test::forward_runner runner(golden.model, {.threads = 2, .shuffle = 7});
  const auto sequence = runner.add(tokens);
  double furthest = 0;
  std::uint32_t computed = 0;
  std::vector<float> last;
  for (const auto& row : golden.rows) {
    CAPTURE(row.position);
    last = runner.step({{sequence, row.position + 1 - computed}}).front();
    computed = row.position + 1;
    const auto off = distance(last, row.logits);
    CHECK(off <= tolerance);
    furthest = std::max(furthest, off);
  }
  std::vector<token_id> answer{likeliest(last)};
  while (answer.size() < golden.greedy.size()) answer.push_back(likeliest(runner.step({{sequence, 1}}).front()));
  CHECK(answer == golden.greedy);
  MESSAGE(name << ": logits differ by " << furthest << " of the largest at most");
  return furthest;
}

}  // namespace

TEST_CASE("a Llama model agrees with transformers") { CHECK(compare("llama") <= tolerance); }
TEST_CASE("a Llama model with biases and its own head size, in three F16 files, agrees with transformers") {
  CHECK(compare("llama_biases_head_dim") <= tolerance);
}
TEST_CASE("a Llama model with llama3 rope scaling and tied embeddings agrees with transformers") { CHECK(compare("llama3_rope_tied") <= tolerance); }
TEST_CASE("a Llama model with linear rope scaling and one KV head agrees with transformers") { CHECK(compare("llama_linear_rope") <= tolerance); }
TEST_CASE("a Mistral model agrees with transformers") { CHECK(compare("mistral") <= tolerance); }
TEST_CASE("a Qwen2 model agrees with transformers") { CHECK(compare("qwen2") <= tolerance); }
TEST_CASE("a Qwen2 model with tied embeddings agrees with transformers") { CHECK(compare("qwen2_tied") <= tolerance); }
TEST_CASE("a Qwen3 model agrees with transformers") { CHECK(compare("qwen3") <= tolerance); }

TEST_CASE("the golden models have every architecture, dtype, rope scaling and option that is served") {
  std::set<model_family> families;
  std::set<rope_config::scaling> scalings;
  std::set<std::string> dtypes;
  std::set<std::string> options;
  for (const auto& entry : std::filesystem::directory_iterator(models_folder())) {
    const auto text = read_text_file(entry.path() / "config.json", 1 << 20);
    REQUIRE(text);
    const auto parsed = parse_model_config(*text);
    REQUIRE_MESSAGE(parsed, parsed.error().message);
    const auto& config = *parsed;
    families.insert(config.family);
    scalings.insert(config.rope.kind);
    dtypes.insert(config.checkpoint_dtype);
    if (config.qkv_bias) options.insert(config.output_bias ? "all attention biases" : "qkv biases");
    if (config.mlp_bias) options.insert("mlp biases");
    if (config.qk_norm) options.insert("qk norm");
    options.insert(config.tied_embeddings ? "tied" : "untied");
    if (config.query_width() != config.hidden) options.insert("wide heads");
    if (std::filesystem::exists(entry.path() / "model.safetensors.index.json")) options.insert("sharded");
  }
  CHECK(families.size() == 4);
  CHECK(scalings.size() == 3);
  CHECK(dtypes == std::set<std::string>{"bfloat16", "float16", "float32"});
  CHECK(options ==
        std::set<std::string>{"all attention biases", "mlp biases", "qk norm", "qkv biases", "sharded", "tied", "untied", "wide heads"});
}
