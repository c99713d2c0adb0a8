// `troupe generate`: one answer, offline, through the same scheduler, pool and backend that serve requests.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/core/batch_runner.hpp"
#include "engine/core/cpu/cpu_backend.hpp"
#include "engine/core/cpu/usable_cores.hpp"
#include "engine/core/model/model.hpp"
#include "engine/text/tokenizer.hpp"
#include "gateway/commands/commands.hpp"

namespace troupe::gateway {
namespace {

using nlohmann::json;

constexpr std::uint32_t block_tokens = 32;
constexpr std::uint32_t tokens_default = 128;

struct generate_options {
  std::filesystem::path model;
  std::string prompt, dtype;
  std::vector<token_id> tokens;
  std::uint32_t tokens_max = 0;
  core::sampling_params sampling{.temperature = 0};
  bool json = false;
};

std::string to_json(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json logprobs_of(const core::sampled_token& sampled) {
  json top = json::array();
  for (const auto& each : sampled.top) top.push_back({{"token", each.token}, {"logprob", each.logprob}});
  return {{"token", sampled.token}, {"logprob", sampled.logprob}, {"top", std::move(top)}};
}

class generation {
 public:
  generation(std::shared_ptr<const core::model> model, std::shared_ptr<const text::tokenizer> tokenizer, const generate_options& options)
      : model_(std::move(model)), tokenizer_(std::move(tokenizer)), options_(options) {}

  int run() {
    const auto prompt = options_.tokens.empty()
                            ? tokenizer_->encode(options_.prompt, {.add_special_tokens = true, .parse_special_tokens = true})
                            : options_.tokens;
    if (prompt.empty()) return fail("the prompt is empty");
    const auto context = static_cast<std::uint32_t>(model_->config.context_tokens);
    if (prompt.size() >= context)
      return fail("prompt is too long: " + std::to_string(prompt.size()) + " tokens > " + std::to_string(context - 1) + " maximum");
    const auto room = context - static_cast<std::uint32_t>(prompt.size());
    const auto wanted = std::min(options_.tokens_max ? options_.tokens_max : tokens_default, room);
    const auto blocks = (static_cast<std::uint32_t>(prompt.size()) + wanted) / block_tokens + 1;
    failure error;
    core::batch_runner runner({.running_max = 1, .waiting_max = 1, .context_tokens_max = context},
                              {.block_count = blocks, .block_tokens = block_tokens},
                              [&](core::backend::completion done) { return make_backend(blocks, std::move(done), error); });
    if (error.code != errc::none) return fail(error.message);
    if (const auto admitted = runner.admit(spec_of(prompt, wanted)); !admitted) return fail(admitted.error().message);
    collect(runner);
    if (error_.code != errc::none) return fail(error_.message);
    print(prompt);
    return 0;
  }

 private:
  std::unique_ptr<core::backend> make_backend(std::uint32_t blocks, core::backend::completion done, failure& error) const {
    error.code = errc::none;
    auto threads = std::make_shared<core::compute_pool>(core::usable_cores());
    core::cpu_backend_options sizes;
    sizes.block_count = blocks;
    sizes.block_tokens = block_tokens;
    sizes.slots = 1;
    auto made = core::cpu_backend::create(model_, std::move(threads), sizes, std::move(done));
    if (made) return std::move(*made);
    error = made.error();
    return nullptr;
  }

  [[nodiscard]] core::sequence_spec spec_of(const std::vector<token_id>& prompt, std::uint32_t wanted) const {
    const core::block_hasher hasher(0, block_tokens);
    core::sequence_spec spec{.id = {1}, .tokens = prompt, .hasher = hasher};
    hasher.extend(spec.chain, spec.tokens);
    spec.sampling = options_.sampling;
    spec.tokens_max = wanted;
    spec.stop_tokens = model_->end_tokens();
    return spec;
  }

  void collect(core::batch_runner& runner) {
    std::vector<core::sequence_event> events;
    while (runner.step(events)) {
      for (const auto& event : events) {
        if (const auto* token = std::get_if<core::sequence_token>(&event)) output_.push_back(token->token);
        if (const auto* ended = std::get_if<core::sequence_ended>(&event)) end(*ended);
      }
      events.clear();
    }
  }

  void end(const core::sequence_ended& ended) {
    stopped_ = ended.reason == core::finish_reason::stop;
    if (ended.reason == core::finish_reason::failed) error_ = ended.error;
  }

  void print(const std::vector<token_id>& prompt) const {
    std::vector<token_id> tokens;
    for (const auto& each : output_) tokens.push_back(each.token);
    const auto text = tokenizer_ ? tokenizer_->decode(tokens, {.skip_special_tokens = true}) : std::string{};
    if (!options_.json) {
      std::printf("%s\n", text.c_str());
      return;
    }
    json result{{"prompt_tokens", prompt}, {"output_tokens", tokens}, {"text", text}, {"finish_reason", stopped_ ? "stop" : "length"}};
    if (options_.sampling.logprobs >= 0) {
      result["logprobs"] = json::array();
      for (const auto& each : output_) result["logprobs"].push_back(logprobs_of(each));
    }
    std::printf("%s\n", to_json(result).c_str());
  }

  std::shared_ptr<const core::model> model_;
  std::shared_ptr<const text::tokenizer> tokenizer_;
  const generate_options& options_;
  std::vector<core::sampled_token> output_;
  bool stopped_ = false;
  failure error_{errc::none, {}, {}};
};

std::optional<core::numeric_type> type_of(const std::string& name) {
  if (name == "f32") return core::numeric_type::f32;
  if (name == "bf16") return core::numeric_type::bf16;
  return std::nullopt;
}

int generate(const generate_options& options) {
  if (options.tokens.empty() && options.prompt.empty()) return fail("give --prompt TEXT or --tokens 1,2,3");
  auto model = core::load_model(options.model, type_of(options.dtype));
  if (!model) return fail(model.error().message);
  std::shared_ptr<const text::tokenizer> tokenizer;
  const auto file = options.model / "tokenizer.json";
  if (options.tokens.empty() || std::filesystem::exists(file)) {
    auto loaded = text::tokenizer::load(file);
    if (!loaded) return fail(loaded.error().message);
    tokenizer = *loaded;
  }
  return generation(*model, tokenizer, options).run();
}

}  // namespace

void add_generate(CLI::App& app, command& run) {
  auto options = std::make_shared<generate_options>();
  auto* sub = app.add_subcommand("generate", "One answer, offline; greedy unless a temperature is given");
  sub->add_option("--model", options->model, "Hugging Face model folder")->required();
  auto* prompt = sub->add_option("--prompt", options->prompt, "Text; the tokenizer's post-processor adds its special tokens");
  auto* tokens = sub->add_option("--tokens", options->tokens, "Token ids, used as they are")->delimiter(',');
  prompt->excludes(tokens);
  sub->add_option("--max-tokens", options->tokens_max, "Of the answer; default 128");
  sub->add_option("--temperature", options->sampling.temperature, "0 is greedy")->check(CLI::Range(0.0, 2.0));
  sub->add_option("--seed", options->sampling.seed, "Of the draws");
  sub->add_option("--logprobs", options->sampling.logprobs, "How many alternatives to report per token")->check(CLI::Range(0, 20));
  sub->add_option("--dtype", options->dtype, "f32 or bf16; default: the checkpoint's")->check(CLI::IsMember({"f32", "bf16"}));
  sub->add_flag("--json", options->json, "Print one JSON object");
  sub->callback([options, &run] { run = [options] { return generate(*options); }; });
}

}  // namespace troupe::gateway
