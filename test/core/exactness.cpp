// The same bits, however a sequence was computed: shared prefixes, chunk sizes, batches, thread counts, preemption. On the small trained
// model through the real scheduler, pool and CPU backend, in every numeric class that this machine has.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/core/batch_runner.hpp"
#include "engine/core/cpu/cpu_backend.hpp"
#include "engine/core/model/model.hpp"
#include "test/support/forward_runner.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

constexpr std::uint32_t block_tokens = 8;

/// A numeric class: bits are equal within one.
struct arithmetic {
  numeric_type type = numeric_type::f32;
  instruction_set instructions = instruction_set::best;
  auto operator<=>(const arithmetic&) const = default;
};

struct setup {
  std::uint32_t blocks = 512, chunk = 512, step_tokens = 512, running = 16, threads = 1;
  arithmetic in = {};
};

/// One sequence's answer: tokens, and the log probabilities of each with its alternatives.
using answer = std::vector<sampled_token>;

std::filesystem::path stories_folder() {
  const char* shared = std::getenv("TROUPE_SHARED");
  return std::filesystem::path(shared ? shared : "../shared") / "models/stories260K";
}

/// Null when the test model is absent.
std::shared_ptr<const model> stories(numeric_type type) {
  static std::map<numeric_type, std::shared_ptr<const model>> loaded;
  if (loaded[type] || !std::filesystem::exists(stories_folder())) return loaded[type];
  auto read = load_model(stories_folder(), type);
  REQUIRE_MESSAGE(read, "the test model is there and does not load");
  return loaded[type] = *read;
}

struct golden {
  std::vector<token_id> tokens;  ///< at positions 0, 1, ...
  std::vector<std::vector<std::pair<token_id, double>>> top;
};

const golden& golden_steps() {
  static const auto loaded = [] {
    golden result;
    std::ifstream file(stories_folder() / "stories260K_golden.json");
    const auto steps = nlohmann::json::parse(file).at("steps");
    for (const auto& step : steps) {
      result.tokens.push_back(step.at("in"));
      result.top.push_back(step.at("top5").get<std::vector<std::pair<token_id, double>>>());
    }
    return result;
  }();
  return loaded;
}

class engine {
 public:
  explicit engine(const setup& options)
      : runner_({.step_tokens_max = options.step_tokens,
                 .prefill_chunk_max = options.chunk,
                 .running_max = options.running,
                 .waiting_max = 64,
                 .context_tokens_max = 512},
                {.block_count = options.blocks, .block_tokens = block_tokens}, [&](backend::completion done) {
                  const cpu_backend_options sizes{.block_count = options.blocks,
                                                  .block_tokens = block_tokens,
                                                  .slots = options.running,
                                                  .instructions = options.in.instructions};
                  auto made = cpu_backend::create(stories(options.in.type), std::make_shared<compute_pool>(options.threads), sizes,
                                                  std::move(done));
                  REQUIRE(made);
                  return std::unique_ptr<core::backend>(std::move(*made));
                }) {}

  void admit(std::uint64_t id, std::vector<token_id> tokens, std::uint32_t count) {
    const block_hasher hasher(42, block_tokens);
    sequence_spec spec{.id = {id}, .tokens = std::move(tokens), .hasher = hasher, .owner = owner_id{id}, .tokens_max = count};
    hasher.extend(spec.chain, spec.tokens);
    spec.sampling.temperature = 0;
    spec.sampling.logprobs = 5;
    REQUIRE(runner_.admit(std::move(spec)));
  }

  std::map<std::uint64_t, answer> run() {
    std::map<std::uint64_t, answer> answers;
    std::vector<sequence_event> events;
    while (runner_.step(events)) {
      for (const auto& event : events) {
        if (const auto* token = std::get_if<sequence_token>(&event)) answers[token->id.value].push_back(token->token);
        if (const auto* started = std::get_if<sequence_started>(&event)) cached_[started->id.value] = started->cached_tokens;
        if (const auto* ended = std::get_if<sequence_ended>(&event)) REQUIRE(ended->reason == finish_reason::length);
      }
      events.clear();
      REQUIRE(runner_.scheduler().check_integrity().value_or("") == "");
    }
    return answers;
  }

  answer run_one(std::vector<token_id> tokens, std::uint32_t count) {
    admit(1, std::move(tokens), count);
    return run()[1];
  }
  [[nodiscard]] std::uint32_t cached(std::uint64_t id) const { return cached_.at(id); }
  [[nodiscard]] scheduler_load load() const { return runner_.scheduler().load(); }

 private:
  batch_runner runner_;
  std::map<std::uint64_t, std::uint32_t> cached_;
};

bool same_bits(const answer& left, const answer& right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].token != right[i].token || std::memcmp(&left[i].logprob, &right[i].logprob, sizeof(float)) != 0) return false;
    if (left[i].top.size() != right[i].top.size()) return false;
    for (std::size_t j = 0; j < left[i].top.size(); ++j)
      if (left[i].top[j].token != right[i].top[j].token ||
          std::memcmp(&left[i].top[j].logprob, &right[i].top[j].logprob, sizeof(float)) != 0)
        return false;
  }
  return true;
}

std::vector<token_id> golden_prefix(std::size_t count) { return {golden_steps().tokens.begin(), golden_steps().tokens.begin() + count}; }

/// What each of the scenarios must reproduce: 100 tokens after the first 100 of the golden story, computed alone.
const answer& reference(arithmetic in) {
  static std::map<arithmetic, answer> computed;
  auto& result = computed[in];
  if (result.empty()) result = engine({.in = in}).run_one(golden_prefix(100), 100);
  return result;
}

/// Calls f(arithmetic) for every table of this machine.
template <class Function>
void in_every_table(const Function& f) {
  if (!stories(numeric_type::f32)) {
    MESSAGE("skipped: no models/stories260K in the folder of TROUPE_SHARED");
    return;
  }
  for (const auto type : {numeric_type::f32, numeric_type::bf16}) {
    for (const auto instructions : test::available_instructions()) {
      CAPTURE(find_kernels(type, instructions)->name);
      f(arithmetic{type, instructions});
    }
  }
}

}  // namespace

TEST_CASE("greedy decoding gives the golden tokens and the golden differences of logits") {
  in_every_table([](arithmetic in) {
    if (in.type != numeric_type::f32) return;
    const auto& expected = golden_steps();
    const auto steps = static_cast<std::uint32_t>(expected.tokens.size());
    const auto result = engine({.in = in}).run_one({expected.tokens.front()}, steps);
    REQUIRE(result.size() == steps);
    for (std::uint32_t i = 0; i < steps; ++i) {
      CAPTURE(i);
      if (i + 1 < steps) CHECK(result[i].token == expected.tokens[i + 1]);
      for (std::size_t rank = 0; rank < 5; ++rank) {
        CHECK(result[i].top[rank].token == expected.top[i][rank].first);
        const double difference = result[i].top[rank].logprob - result[i].top[0].logprob;
        CHECK(std::abs(difference - (expected.top[i][rank].second - expected.top[i][0].second)) < 1e-3);
      }
    }
  });
}

TEST_CASE("in bfloat16 greedy decoding gives the golden story until two tokens are nearly as likely") {
  in_every_table([](arithmetic in) {
    if (in.type != numeric_type::bf16) return;
    const auto& expected = golden_steps();
    const auto result = engine({.in = in}).run_one({expected.tokens.front()}, static_cast<std::uint32_t>(expected.tokens.size()));
    std::size_t same = 0;
    while (same + 1 < expected.tokens.size() && result[same].token == expected.tokens[same + 1]) ++same;
    MESSAGE("equal tokens: " << same);
    CHECK(same >= 100);
  });
}

TEST_CASE("a prompt prefilled in chunks of any size continues with the same bits") {
  in_every_table([](arithmetic in) {
    for (const std::uint32_t chunk : {1U, 2U, 7U, 8U, 9U, 31U, 64U, 100U}) {
      CAPTURE(chunk);
      CHECK(same_bits(engine({.chunk = chunk, .in = in}).run_one(golden_prefix(100), 100), reference(in)));
    }
  });
}

TEST_CASE("a reused prefix gives the same bits as a computed one") {
  in_every_table([](arithmetic in) {
    engine both({.in = in});
    CHECK(same_bits(both.run_one(golden_prefix(100), 100), reference(in)));
    both.admit(2, golden_prefix(100), 100);
    CHECK(same_bits(both.run()[2], reference(in)));
    CHECK(both.cached(2) == 96);  // 12 blocks of 8; the last tokens are computed anew
  });
}

TEST_CASE("a prefix that was decoded equals one that was prefilled") {
  in_every_table([](arithmetic in) {
    // A prompt of one token decodes the whole story itself, so that what the second sequence finds was decoded.
    engine both({.in = in});
    both.admit(1, golden_prefix(1), 199);
    auto story = golden_prefix(1);
    const auto decoded = both.run()[1];
    for (const auto& token : decoded) story.push_back(token.token);
    story.resize(100);
    both.admit(2, story, 100);
    CHECK(same_bits(both.run()[2], engine({.in = in}).run_one(story, 100)));
    CHECK(both.cached(2) >= 88);
  });
}

TEST_CASE("neighbours in the batch change no bit") {
  in_every_table([](arithmetic in) {
    for (std::uint32_t batch = 1; batch <= 16; ++batch) {
      CAPTURE(batch);
      engine many({.step_tokens = 64, .in = in});
      for (std::uint32_t i = 2; i <= batch; ++i)
        many.admit(i, {1, static_cast<token_id>(3 + i * 17), static_cast<token_id>(260 + i)}, 20 + i * 5);
      many.admit(1, golden_prefix(100), 100);
      CHECK(same_bits(many.run()[1], reference(in)));
    }
  });
}

TEST_CASE("two threads give the bits of one") {
  in_every_table([](arithmetic in) { CHECK(same_bits(engine({.threads = 2, .in = in}).run_one(golden_prefix(100), 100), reference(in))); });
}

TEST_CASE("a preempted sequence continues with the same bits") {
  in_every_table([](arithmetic in) {
    // 30 blocks of 8 tokens: each sequence needs 25 in the end, so two cannot finish side by side.
    engine tight({.blocks = 30, .in = in});
    tight.admit(1, golden_prefix(100), 100);
    tight.admit(2, {1, 300, 301, 302}, 190);
    tight.admit(3, {1, 310, 311, 312}, 190);
    auto answers = tight.run();
    CHECK(same_bits(answers[1], reference(in)));
    CHECK(tight.load().preemptions > 0);
    CHECK(same_bits(answers[2], engine({.in = in}).run_one({1, 300, 301, 302}, 190)));
    CHECK(same_bits(answers[3], engine({.in = in}).run_one({1, 310, 311, 312}, 190)));
  });
}
