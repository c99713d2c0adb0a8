#include "engine/core/cpu/cpu_backend.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "messages/base/limits.hpp"
#include "test/support/forward_runner.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace std::chrono_literals;

namespace {

const std::shared_ptr<const model>& tiny() {
  static const auto loaded = [] {
    const test::temporary_folder folder;
    test::write_tiny(test::make_tiny({}), folder.path);
    auto result = load_model(folder.path);
    if (!result) throw std::runtime_error(result.error().message);
    return *result;
  }();
  return loaded;
}

cpu_backend_options small() {
  cpu_backend_options options;
  options.block_count = 16;
  options.block_tokens = 8;
  options.slots = 4;
  return options;
}

/// Collects completions; waiting has a deadline.
class collector {
 public:
  explicit collector(cpu_backend_options options = small(), std::uint32_t threads = 2) {
    auto made = cpu_backend::create(tiny(), std::make_shared<compute_pool>(threads), std::move(options),
                                    [this](ticket_id ticket, step_result result) { add(ticket, std::move(result)); });
    REQUIRE(made);
    backend_ = std::move(*made);
  }
  cpu_backend& backend() { return *backend_; }
  void destroy() { backend_.reset(); }
  step_result wait(ticket_id ticket) {
    std::unique_lock lock(mutex_);
    const bool came = arrived_.wait_for(lock, 60s, [&] { return tickets_.size() >= ticket.value; });
    REQUIRE(came);
    return results_[ticket.value - 1];
  }
  template <class Plan>
  step_result run(Plan plan) {
    return wait(backend_->submit(std::move(plan)));
  }
  [[nodiscard]] std::vector<std::uint64_t> tickets() {
    const std::lock_guard lock(mutex_);
    return tickets_;
  }

 private:
  void add(ticket_id ticket, step_result result) {
    const std::lock_guard lock(mutex_);
    tickets_.push_back(ticket.value);
    results_.push_back(std::move(result));
    arrived_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::uint64_t> tickets_;
  std::vector<step_result> results_;
  std::unique_ptr<cpu_backend> backend_;
};

sampling_params greedy() {
  sampling_params params;
  params.temperature = 0;
  return params;
}

/// One row in `slot` that samples after its last token.
step_plan row_plan(std::uint32_t slot, std::uint32_t position, std::vector<token_id> tokens, std::vector<block_index> table,
                   sampling_params params = greedy()) {
  step_plan plan;
  plan.rows.push_back({slot, 0, static_cast<std::uint32_t>(tokens.size()), position, 0, static_cast<std::uint32_t>(table.size())});
  plan.tokens = std::move(tokens);
  plan.block_tables = std::move(table);
  plan.samples.emplace_back().params = params;
  return plan;
}

const std::vector<token_id> prompt{1, 5, 9, 33, 64, 7, 2, 11, 40, 3};

token_id largest(const std::vector<float>& logits) {
  return static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Greedy continuation computed by the forward pass alone.
std::vector<token_id> continuation(std::size_t count) {
  auto tokens = prompt;
  while (tokens.size() < prompt.size() + count) tokens.push_back(largest(test::decode_alone(tiny(), tokens).logits.back()));
  return {tokens.begin() + static_cast<std::ptrdiff_t>(prompt.size()), tokens.end()};
}

}  // namespace

TEST_CASE("a backend says what it is") {
  collector done;
  const auto& traits = done.backend().traits();
  CHECK(traits.numeric_class == "cpu-" + std::string(find_kernels(numeric_type::f32)->name));
  CHECK(traits.block_count == 16);
  CHECK(traits.block_tokens == 8);
  CHECK(traits.slots == 4);
  CHECK(traits.vocabulary == 65);
  CHECK(traits.block_bytes == 2 * 2 * 2 * 8 * 8 * 4);  // layers, k and v, kv heads, tokens, head_dim, bytes
  auto options = small();
  options.instructions = instruction_set::scalar;
  CHECK(collector(options).backend().traits().numeric_class == "cpu-scalar-f32");
}

TEST_CASE("a backend in bfloat16 has blocks of half the bytes") {
  const test::temporary_folder folder;
  test::write_tiny(test::make_tiny({}), folder.path);
  const auto model = load_model(folder.path, numeric_type::bf16);
  REQUIRE(model);
  auto options = small();
  options.instructions = instruction_set::scalar;
  const auto made = cpu_backend::create(*model, std::make_shared<compute_pool>(1), options, [](ticket_id, step_result) {});
  REQUIRE(made);
  CHECK((*made)->traits().numeric_class == "cpu-scalar-bf16");
  CHECK((*made)->traits().block_bytes == 2 * 2 * 2 * 8 * 8 * 2);
}

TEST_CASE("tokens may be named by the slot that samples them, two steps in flight") {
  collector done;
  const auto want = continuation(6);
  std::vector<block_index> table{7, 2};
  auto& backend = done.backend();
  std::vector<ticket_id> tickets{backend.submit(row_plan(3, 0, prompt, table))};
  for (std::uint32_t i = 0; i < 5; ++i) tickets.push_back(backend.submit(row_plan(3, 10 + i, {from_slot(3)}, table)));
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const auto result = done.wait(tickets[i]);
    REQUIRE_MESSAGE(result.status == errc::none, result.message);
    REQUIRE(result.sampled.size() == 1);
    CHECK(result.sampled[0].token == want[i]);
    CHECK(result.sampled[0].top.empty());
  }
  CHECK(done.tickets() == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("rows in the middle of a prefill sample nothing, others in the same step do") {
  collector done;
  const auto want = continuation(1);
  auto plan = row_plan(0, 0, {prompt.begin(), prompt.begin() + 4}, {0, 1});
  plan.rows.push_back({1, 4, 10, 0, 2, 2});
  plan.tokens.insert(plan.tokens.end(), prompt.begin(), prompt.end());
  plan.block_tables.insert(plan.block_tables.end(), {4, 3});
  plan.samples[0].row = 1;
  const auto result = done.run(plan);
  REQUIRE(result.sampled.size() == 1);
  CHECK(result.sampled[0].token == want[0]);
  // The first row goes on where its chunk ended.
  const auto rest = done.run(row_plan(0, 4, {prompt.begin() + 4, prompt.end()}, {0, 1}));
  CHECK(rest.sampled[0].token == want[0]);
}

TEST_CASE("copied blocks continue a sequence exactly") {
  collector done;
  const auto want = continuation(2);
  REQUIRE(done.run(row_plan(0, 0, prompt, {0, 1})).sampled[0].token == want[0]);
  CHECK(done.run(copy_plan{{{0, 9}, {1, 8}, {8, 15}, {15, 15}}}).status == errc::none);
  // The originals are overwritten before the copies are read.
  CHECK(done.run(row_plan(1, 0, std::vector<token_id>(16, 3), {0, 1})).status == errc::none);
  CHECK(done.run(row_plan(0, 10, {want[0]}, {9, 15})).sampled[0].token == want[1]);
  CHECK(done.run(copy_plan{{{0, 16}}}).status == errc::internal);
  CHECK(done.run(copy_plan{{{no_block, 0}}}).status == errc::internal);
  CHECK(done.run(copy_plan{}).status == errc::none);
}

TEST_CASE("a mask leaves only what it allows") {
  collector done;
  auto plan = row_plan(0, 0, prompt, {0, 1});
  plan.masks = {0, 0, 1};
  plan.samples[0].mask_begin = 1;
  plan.samples[0].mask_words = 2;
  plan.samples[0].params.logprobs = 5;
  const auto only = done.run(plan);
  REQUIRE(only.status == errc::none);
  CHECK(only.sampled[0].token == 64);
  CHECK(only.sampled[0].logprob == 0.0F);
  CHECK(only.sampled[0].top.size() == 1);
  plan.masks = {std::uint64_t{1} << 17};  // a mask that ends early forbids the rest
  plan.samples[0].mask_begin = 0;
  plan.samples[0].mask_words = 1;
  CHECK(done.run(plan).sampled[0].token == 17);
  plan.masks = {0, 2};  // token 65 does not exist
  plan.samples[0].mask_words = 2;
  CHECK(done.run(plan).message == "invalid step: row 0: its mask allows no token");
}

TEST_CASE("logprobs and penalties reach the sampler") {
  collector done;
  const auto logits = test::decode_alone(tiny(), prompt).logits.back();
  double total = 0;
  for (const auto logit : logits) total += std::exp(static_cast<double>(logit));
  auto params = greedy();
  params.logprobs = 3;
  const auto plain = done.run(row_plan(0, 0, prompt, {0, 1}, params)).sampled[0];
  const auto best = largest(logits);
  CHECK(plain.token == best);
  CHECK(static_cast<double>(plain.logprob) ==
        doctest::Approx(static_cast<double>(logits[static_cast<std::size_t>(best)]) - std::log(total)).epsilon(1e-4));
  REQUIRE(plain.top.size() == 3);
  CHECK(plain.top[0] == token_logprob{best, plain.logprob});
  params.presence_penalty = 1000;
  auto plan = row_plan(0, 0, prompt, {0, 1}, params);
  plan.history = {9, best};
  plan.samples[0].history_prompt = 1;
  plan.samples[0].history_output = 1;
  CHECK(done.run(plan).sampled[0].token == plain.top[1].token);
}

TEST_CASE("a draw is keyed by the position of the token it makes") {
  collector done;
  sampling_params params;
  params.temperature = 3;
  params.seed = 42;
  auto logits = test::decode_alone(tiny(), prompt).logits.back();
  const auto want = sample(logits, params, prompt.size(), {}, {});
  CHECK(done.run(row_plan(0, 0, prompt, {0, 1}, params)).sampled[0] == want);
  CHECK(done.run(row_plan(2, 0, prompt, {5, 3}, params)).sampled[0] == want);
}

TEST_CASE("an invalid step fails by name and the next one runs") {
  collector done;
  const auto good = row_plan(0, 0, prompt, {0, 1});
  const auto check = [&](const std::function<void(step_plan&)>& change, const std::string& message) {
    auto plan = good;
    change(plan);
    const auto result = done.run(plan);
    CHECK(result.status == errc::internal);
    CHECK(result.message == "invalid step: " + message);
    CHECK(result.sampled.empty());
  };
  check([](auto& p) { p.block_tables[1] = 16; }, "row 0: block 16 of 16");
  check([](auto& p) { p.block_tables[1] = 0; }, "row 0: block 0 is written twice");
  check([](auto& p) { p.tokens[4] = 65; }, "row 0: token 65 is out of the vocabulary");
  check([](auto& p) { p.tokens[4] = from_slot(4); }, "row 0: token -5 is out of the vocabulary");
  check([](auto& p) { p.tokens[4] = INT32_MIN; }, "row 0: token -2147483648 is out of the vocabulary");
  check([](auto& p) { p.tokens[4] = from_slot(1); }, "slot 1 has sampled nothing");
  check([](auto& p) { p.rows[0].position = 503; }, "row 0: position 512 is beyond the context");
  check([](auto& p) { p.rows[0].position = UINT32_MAX; }, "row 0: position 4294967304 is beyond the context");
  check([](auto& p) { p.rows[0].position = 7; }, "row 0: the block table does not cover its positions");
  check([](auto& p) { p.rows[0].slot = 4; }, "row 0: slot 4 of 4");
  check([](auto& p) { p.rows[0].token_count = 0; }, "row 0: no tokens");
  check([](auto& p) { p.rows[0].token_begin = UINT32_MAX; }, "row 0: tokens beyond the plan's");
  check([](auto& p) { p.rows[0].table_begin = 1; }, "row 0: a block table beyond the plan's");
  check([](auto& p) { p.rows.resize(5, p.rows[0]); }, "more rows than slots");
  check([](auto& p) { p.rows.resize(2, p.rows[0]); }, "row 1: block 0 is written twice");
  check([](auto& p) { p.samples[0].row = 1; }, "a sample of row 1, which does not exist");
  check([](auto& p) { p.samples.resize(2, p.samples[0]); }, "samples are not ascending by row");
  check([](auto& p) { p.samples[0].history_output = 1; }, "row 0: a history beyond the plan's");
  check([](auto& p) { p.samples[0].mask_begin = p.samples[0].mask_words = UINT32_MAX; }, "row 0: a mask beyond the plan's");
  check(
      [](auto& p) {
        p.history = {from_slot(0)};
        p.samples[0].history_prompt = 1;
      },
      "row 0: token -1 in the history");
  CHECK(done.run(good).status == errc::none);
  CHECK(done.run(step_plan{}).status == errc::none);
}

TEST_CASE("after a failed step its slots name nothing") {
  collector done;
  REQUIRE(done.run(row_plan(2, 0, prompt, {0, 1})).status == errc::none);
  CHECK(done.run(row_plan(2, 10, {65}, {0, 1})).status == errc::internal);
  CHECK(done.run(row_plan(2, 11, {from_slot(2)}, {0, 1})).message == "invalid step: slot 2 has sampled nothing");
}

TEST_CASE("random plans end as results and never otherwise") {
  collector done;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    test::random_source random{seed};
    step_plan plan;
    for (auto rows = random.below(6); rows > 0; --rows) {
      plan.rows.push_back({static_cast<std::uint32_t>(random.below(5)), static_cast<std::uint32_t>(random.below(8)),
                           static_cast<std::uint32_t>(random.below(6)), static_cast<std::uint32_t>(random.below(20)),
                           static_cast<std::uint32_t>(random.below(6)), static_cast<std::uint32_t>(random.below(4))});
    }
    for (auto tokens = random.below(20); tokens > 0; --tokens) plan.tokens.push_back(static_cast<token_id>(random.below(67)) - 1);
    for (auto blocks = random.below(12); blocks > 0; --blocks) plan.block_tables.push_back(static_cast<block_index>(random.below(17)));
    for (auto samples = random.below(3); samples > 0; --samples)
      plan.samples.emplace_back().row = static_cast<std::uint32_t>(random.below(4));
    const auto result = done.run(plan);
    CHECK((result.status == errc::none || result.status == errc::internal));
    CHECK(result.sampled.size() == (result.status == errc::none ? plan.samples.size() : 0));
    CHECK(result.message.empty() == (result.status == errc::none));
  }
}

TEST_CASE("seconds are what the clock says") {
  auto options = small();
  options.clock = [ticks = 0ns]() mutable { return ticks += 250ms; };
  collector done(options);
  CHECK(done.run(row_plan(0, 0, prompt, {0, 1})).seconds == 0.25);
  collector without;
  CHECK(without.run(row_plan(0, 0, prompt, {0, 1})).seconds == 0.0);
}

TEST_CASE("plans beyond the queue's maximum complete as queue_full, in order") {
  std::mutex gate;
  gate.lock();
  auto options = small();
  options.clock = [&gate] {  // holds the backend's thread at its first plan
    const std::lock_guard wait(gate);
    return 0ns;
  };
  collector done(options);
  const auto count = limits::backend_plans_waiting_max + 10;
  ticket_id last;
  for (std::size_t i = 0; i < count; ++i) last = done.backend().submit(copy_plan{});
  gate.unlock();
  done.wait(last);
  std::size_t accepted = 0;
  while (done.wait(ticket_id{accepted + 1}).status == errc::none) ++accepted;
  // The thread may have taken the first plan out of the queue before it was held.
  CHECK(accepted >= limits::backend_plans_waiting_max);
  CHECK(accepted <= limits::backend_plans_waiting_max + 1);
  for (auto ticket = accepted + 1; ticket <= count; ++ticket) CHECK(done.wait(ticket_id{ticket}).status == errc::queue_full);
  const auto tickets = done.tickets();
  CHECK(std::is_sorted(tickets.begin(), tickets.end()));
  CHECK(done.run(copy_plan{}).status == errc::none);
}

TEST_CASE("destruction completes what is in flight") {
  collector done;
  for (int i = 0; i < 5; ++i) done.backend().submit(row_plan(0, 0, prompt, {0, 1}));
  done.destroy();
  CHECK(done.tickets() == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("options out of range and memory that nobody has are failures") {
  const auto code_of = [](const std::function<void(cpu_backend_options&)>& change) {
    auto options = small();
    change(options);
    const auto made = cpu_backend::create(tiny(), std::make_shared<compute_pool>(1), options, [](ticket_id, step_result) {});
    return made ? errc::none : made.error().code;
  };
  CHECK(code_of([](auto&) {}) == errc::none);
  CHECK(code_of([](auto& o) { o.block_count = 0; }) == errc::invalid_request);
  CHECK(code_of([](auto& o) { o.block_count = no_block; }) == errc::invalid_request);
  CHECK(code_of([](auto& o) { o.block_tokens = 0; }) == errc::invalid_request);
  CHECK(code_of([](auto& o) { o.block_tokens = 4097; }) == errc::invalid_request);
  CHECK(code_of([](auto& o) { o.slots = 0; }) == errc::invalid_request);
  CHECK(code_of([](auto& o) { o.tile_tokens = 0; }) == errc::invalid_request);
  model_config huge = tiny()->config;
  huge.layers = model_bounds::layers;
  huge.kv_heads = huge.heads = model_bounds::heads;
  huge.head_dim = model_bounds::head_dim;
  const auto pool = kv_pool::allocate(huge, {1U << 26, 4096, 4});
  REQUIRE_FALSE(pool);
  CHECK(pool.error().code == errc::io_failed);
}
