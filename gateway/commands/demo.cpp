// `troupe demo`: a coding agent's day against a running server, over real HTTP. A lead works through tools, sends out three subagents that
// share its system prompt and die, compacts its history, pauses and resumes. What each turn read from cache is printed as it happens.
#include <array>
#include <boost/json/array.hpp>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

#include "gateway/commands/commands.hpp"
#include "gateway/commands/demo_client.hpp"
#include "gateway/commands/demo_script.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

struct demo_options {
  std::string url = "http://127.0.0.1:8000";
  std::string model;
  std::uint32_t pause_ms = 300, answer_tokens = 48;
};

/// Sums over all turns, and the table. Subagents report from threads of their own.
class report {
 public:
  void header() const {
    std::printf("%-12s %-28s %8s %8s %7s %-8s %9s %9s\n", "session", "turn", "input", "cached", "hit", "tier", "TTFT ms", "tok/s");
  }

  void add(const std::string& session, const std::string& what, const demo_turn& turn) {
    const std::lock_guard lock(mutex_);
    prompt_ += turn.prompt_tokens;
    cached_ += turn.cached_tokens;
    output_ += turn.output_tokens;
    const double hit = turn.prompt_tokens ? 100.0 * turn.cached_tokens / turn.prompt_tokens : 0;
    const double decode_s = turn.total_s - turn.first_token_s;
    const double rate = turn.output_tokens > 1 && decode_s > 0 ? (turn.output_tokens - 1) / decode_s : 0;
    std::printf("%-12s %-28s %8u %8u %6.1f%% %-8s %9.1f %9.0f\n", session.c_str(), what.c_str(), turn.prompt_tokens, turn.cached_tokens, hit,
                turn.cached_tokens ? "device" : "-", turn.first_token_s * 1e3, rate);
    std::fflush(stdout);
  }
  void say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    std::printf("  . %s\n", line.c_str());
    std::fflush(stdout);
  }
  void freed(std::uint64_t blocks) {
    const std::lock_guard lock(mutex_);
    freed_ += blocks;
  }
  void totals() const {
    const auto written = prompt_ - cached_ + output_;
    std::printf("\nprompt tokens %llu, of them from cache %llu: hit rate %.1f %%\n", as_int(prompt_), as_int(cached_),
                prompt_ ? 100.0 * cached_ / prompt_ : 0.0);
    std::printf("tokens read from cache per token written: %.2f\n", written ? static_cast<double>(cached_) / written : 0.0);
    std::printf("blocks freed at once by deaths: %llu\n", as_int(freed_));
  }

 private:
  static unsigned long long as_int(std::uint64_t value) { return value; }
  std::mutex mutex_;
  std::uint64_t prompt_ = 0, cached_ = 0, output_ = 0, freed_ = 0;
};

/// One agent: its history grows with each turn.
class agent {
 public:
  agent(const demo_client& client, const demo_options& options, report& told, demo_identity who)
      : client_(client), options_(options), told_(told), who_(std::move(who)), messages_{demo_message("system", demo_system_prompt())} {}

  failure turn(const std::string& what, json::object message) {
    messages_.push_back(std::move(message));
    const json::object body{{"model", options_.model}, {"messages", messages_}, {"tools", demo_tools()}, {"tool_choice", "auto"},
                            {"max_tokens", options_.answer_tokens}, {"temperature", 0}};
    auto answer = client_.chat(body, who_);
    if (!answer) return answer.error();
    told_.add(who_.session, what, *answer);
    messages_.push_back(demo_message("assistant", answer->text));
    return none;
  }

  failure event(const char* verb, json::object arguments = {}) {
    arguments["id"] = who_.session + "-" + std::to_string(++events_);
    arguments["verb"] = verb;
    auto answer = client_.request("POST", "/v1/sessions/" + who_.session + "/events", arguments);
    if (!answer) return answer.error();
    return note(verb, *answer);
  }

  failure pause(const std::string& tool) {
    if (auto error = event("tool_pause", {{"tools", json::array{tool}}, {"expect_ms", options_.pause_ms}}); error.code != errc::none) return error;
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.pause_ms));
    return event("resume");
  }

  failure die() {
    auto answer = client_.request("DELETE", "/v1/sessions/" + who_.session, {});
    if (!answer) return answer.error();
    return note("die", *answer);
  }

  failure compact() {
    if (auto error = event("compact"); error.code != errc::none) return error;
    messages_ = json::array{demo_message("system", demo_system_prompt()), demo_message("user", demo_summary())};
    return none;
  }

  inline static const failure none{errc::none, {}, {}};

 private:
  failure note(const char* verb, const json::object& answer) {
    const auto* blocks = answer.if_contains("blocks_freed");
    const auto freed = blocks && blocks->is_number() ? blocks->to_number<std::uint64_t>() : 0;
    const auto* outcome = answer.if_contains("outcome");
    told_.freed(freed);
    told_.say(who_.session + ": " + verb + " " + (outcome ? std::string(outcome->as_string()) : "") +
              (freed ? ", " + std::to_string(freed) + " blocks freed" : ""));
    return none;
  }

  const demo_client& client_;
  const demo_options& options_;
  report& told_;
  demo_identity who_;
  json::array messages_;
  std::uint32_t events_ = 0;
};

/// Runs steps until one fails.
class plan {
 public:
  template <class Step>
  plan& then(Step step) {
    if (result.code == errc::none) result = step();
    return *this;
  }
  failure result{errc::none, {}, {}};
};

failure run_subagents(const demo_client& client, const demo_options& options, report& told, const std::string& lead) {
  std::array<failure, 3> results{agent::none, agent::none, agent::none};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, i] {
      agent worker(client, options, told, {lead + "-sub" + std::to_string(i + 1), lead});
      plan steps;
      steps.then([&] { return worker.turn("explore", demo_message("user", demo_task(i))); })
          .then([&] { return worker.turn("answer", demo_message("user", demo_file(i + 10))); })
          .then([&] { return worker.die(); });
      results[i] = steps.result;
    });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results)
    if (result.code != errc::none) return result;
  return agent::none;
}

failure play(const demo_client& client, const demo_options& options, report& told) {
  const std::string name = "demo-lead";
  agent lead(client, options, told, {name, ""});
  plan steps;
  steps.then([&] { return lead.turn("first question", demo_message("user", demo_task(3))); });
  for (std::size_t i = 0; i < 3; ++i)
    steps.then([&] { return lead.pause("read_file"); }).then([&] { return lead.turn("after a tool", demo_message("user", demo_file(i))); });
  steps.then([&] { return run_subagents(client, options, told, name); })
      .then([&] { return lead.turn("with their findings", demo_message("user", demo_file(4))); })
      .then([&] { return lead.compact(); })
      .then([&] { return lead.turn("after compaction", demo_message("user", demo_task(4))); })
      .then([&] { return lead.pause("run_tests"); })
      .then([&] { return lead.turn("resumed", demo_message("user", demo_file(5))); })
      .then([&] { return lead.die(); });
  return steps.result;
}

expected<std::string> first_model(const demo_client& client) {
  auto listed = client.request("GET", "/v1/models", {});
  if (!listed) return listed.error();
  boost::system::error_code error;
  const auto* id = json::value(*listed).find_pointer("/data/0/id", error);
  if (!id || !id->is_string()) return failure{errc::not_found, "the server lists no model", {}};
  return std::string(id->as_string());
}

int demo(demo_options options) {
  auto client = demo_client::make(options.url);
  if (!client) return fail(client.error().message);
  auto model = options.model.empty() ? first_model(*client) : expected<std::string>(options.model);
  if (!model) return fail(model.error().message + "; start one with ./scripts/serve");
  options.model = *model;
  report told;
  told.header();
  const auto result = play(*client, options, told);
  told.totals();
  return result.code == errc::none ? 0 : fail(result.message);
}

}  // namespace

void add_demo(CLI::App& app, command& run) {
  auto options = std::make_shared<demo_options>();
  auto* sub = app.add_subcommand("demo", "Play a coding agent's day against a running server");
  sub->add_option("--url", options->url, "Of the server")->capture_default_str();
  sub->add_option("--model", options->model, "Default: the first that the server lists");
  sub->add_option("--pause-ms", options->pause_ms, "How long each tool takes")->capture_default_str()->check(CLI::Range(0, 60'000));
  sub->add_option("--max-tokens", options->answer_tokens, "Of each answer")->capture_default_str()->check(CLI::Range(1, 4096));
  sub->callback([options, &run] { run = [options] { return demo(*options); }; });
}

}  // namespace troupe::gateway
