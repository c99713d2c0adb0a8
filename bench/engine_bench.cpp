// Prefill and decode tokens/s of the CPU backend through the real scheduler and pool, on a model of Qwen3-0.6B's shape with random
// weights: no claim about quality, the same arithmetic. One hash over all sampled tokens says whether two runs computed the same.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "bench/report.hpp"
#include "engine/core/batch_runner.hpp"
#include "engine/core/cpu/cpu_backend.hpp"
#include "engine/core/model/model.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

constexpr std::uint32_t block_tokens = 32;
constexpr std::uint32_t batch_max = 8;

struct bench_options {
  bool small = false;
  std::uint32_t threads = 1;
  std::string model;
  std::optional<numeric_type> type;
};

test::tiny_spec qwen3_shape(bool small) {
  test::tiny_spec spec;
  spec.architecture = "Qwen3ForCausalLM";
  spec.model_type = "qwen3";
  spec.hidden = small ? 128 : 1024;
  spec.intermediate = small ? 384 : 3072;
  spec.layers = small ? 2 : 28;
  spec.heads = small ? 4 : 16;
  spec.kv_heads = small ? 2 : 8;
  spec.head_dim = small ? 32 : 128;
  spec.vocabulary = small ? 512 : 151'936;
  spec.context = 8192;
  spec.qk_norm = spec.tied = true;
  spec.theta = 1e6;
  spec.dtype = "BF16";
  return spec;
}

class engine {
 public:
  engine(std::shared_ptr<const model> model, std::uint32_t threads, std::uint32_t blocks)
      : vocabulary_(model->config.vocabulary),
        runner_({.step_tokens_max = 512, .prefill_chunk_max = 512, .running_max = batch_max, .waiting_max = 64, .context_tokens_max = 8192},
                {.block_count = blocks, .block_tokens = block_tokens}, [&](backend::completion done) {
                  cpu_backend_options sizes;
                  sizes.block_count = blocks;
                  sizes.block_tokens = block_tokens;
                  sizes.slots = batch_max;
                  auto made = cpu_backend::create(model, std::make_shared<compute_pool>(threads), sizes, std::move(done));
                  if (!made) throw std::runtime_error(made.error().message);
                  return std::unique_ptr<backend>(std::move(*made));
                }) {}

  [[nodiscard]] std::string numeric_class() const { return runner_.traits().numeric_class; }

  /// Tokens/s of prompts of `tokens` tokens, one at a time, each another.
  double prefill(std::uint32_t tokens, int repeats) {
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) {
      admit(1000 + i, tokens, 1);
      seconds.push_back(bench::seconds_of([&] { run_to_end([](std::uint32_t) {}); }));
    }
    return tokens / bench::median(seconds);
  }

  /// Tokens/s of `batch` sequences that decode together after prompts of `depth` tokens.
  double decode(std::uint32_t batch, std::uint32_t depth, std::uint32_t count) {
    for (std::uint32_t i = 0; i < batch; ++i) admit(i, depth, count);
    std::vector<double> steps;
    auto last = std::chrono::steady_clock::now();
    run_to_end([&](std::uint32_t tokens) {
      const auto now = std::chrono::steady_clock::now();
      if (tokens == batch) steps.push_back(std::chrono::duration<double>(now - last).count());
      last = now;
    });
    return steps.size() < 4 ? 0 : batch / bench::median({steps.begin() + 2, steps.end()});
  }

  [[nodiscard]] std::uint64_t hash() const { return hash_.value(); }

 private:
  void admit(std::uint64_t prompt, std::uint32_t tokens, std::uint32_t count) {
    test::random_source random{prompt * 7919 + 1};
    const block_hasher hasher(7, block_tokens);
    sequence_spec spec{.id = {++ids_}, .hasher = hasher};
    for (std::uint32_t i = 0; i < tokens; ++i) spec.tokens.push_back(static_cast<token_id>(random.below(vocabulary_)));
    hasher.extend(spec.chain, spec.tokens);
    spec.sampling.temperature = 0;
    spec.tokens_max = count;
    if (auto admitted = runner_.admit(std::move(spec)); !admitted) throw std::runtime_error(admitted.error().message);
  }

  template <class OnStep>
  void run_to_end(OnStep on_step) {
    std::vector<sequence_event> events;
    while (runner_.step(events)) {
      std::uint32_t tokens = 0;
      for (const auto& event : events) {
        const auto* token = std::get_if<sequence_token>(&event);
        if (!token) continue;
        ++tokens;
        hash_.add(token->id.value << 32 | static_cast<std::uint32_t>(token->token.token));
      }
      events.clear();
      on_step(tokens);
    }
  }

  std::uint32_t vocabulary_;
  batch_runner runner_;
  bench::result_hash hash_;
  std::uint64_t ids_ = 0;
};

std::optional<bench_options> parse(int argc, char** argv) {
  bench_options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (argument == "--small") {
      options.small = true;
    } else if (argument == "--threads" && value) {
      options.threads = static_cast<std::uint32_t>(std::max(1, std::atoi(argv[++i])));
    } else if (argument == "--model" && value) {
      options.model = argv[++i];
    } else if (argument == "--dtype" && value) {
      options.type = std::string(argv[++i]) == "f32" ? numeric_type::f32 : numeric_type::bf16;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

/// Huge pages, one thread: what a decode of batch 1 cannot exceed, measured in the same minute.
double read_bandwidth(std::size_t bytes) {
  auto* memory = static_cast<std::uint64_t*>(std::aligned_alloc(2 << 20, bytes));
  madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 1, bytes);
  std::vector<double> seconds;
  std::uint64_t sum = 0;
  for (int i = 0; i < 3; ++i)
    seconds.push_back(bench::seconds_of([&] {
      for (std::size_t word = 0; word < bytes / 8; word += 8) sum += memory[word];  // one load per cache line
    }));
  std::free(memory);
  return sum == 0 ? 0 : static_cast<double>(bytes) / bench::median(seconds);
}

int run(const bench_options& options) {
  bench::print_header("engine_bench: CPU backend, greedy, random weights, medians");
  const test::temporary_folder folder;
  auto path = std::filesystem::path(options.model);
  if (options.model.empty()) {
    path = folder.path;
    test::write_tiny(test::make_tiny(qwen3_shape(options.small)), path);
  }
  auto model = load_model(path, options.type);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  const std::uint32_t deep = options.small ? 96 : 2048;
  engine with(*model, options.threads, batch_max * (deep + 256) / block_tokens + 64);
  std::printf("numeric class: %s, threads: %u, read bandwidth of one thread: %.1f GB/s\n", with.numeric_class().c_str(), options.threads,
              read_bandwidth(options.small ? std::size_t{64} << 20 : std::size_t{1} << 30) / 1e9);
  const std::uint32_t prompt = options.small ? 64 : 512;
  std::printf("prefill %4u           %9.1f tokens/s\n", prompt, with.prefill(prompt, options.small ? 1 : 3));
  for (const std::uint32_t depth : {64U, deep})
    for (const std::uint32_t batch : {1U, 4U, 8U})
      std::printf("decode x%u depth %-5u %9.1f tokens/s\n", batch, depth, with.decode(batch, depth, options.small ? 8 : 24)), std::fflush(stdout);
  std::printf("result hash: %016llx\n", static_cast<unsigned long long>(with.hash()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: engine_bench [--small] [--threads N] [--model DIR] [--dtype f32|bf16]\n");
    return 2;
  }
  return run(*options);
}
