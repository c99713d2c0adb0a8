// `troupe serve`: all roles in one process. Signals are taken by this thread alone: the first SIGTERM or SIGINT drains, what has not
// ended some time after the drain's deadline is ended by SIGALRM, so a stuck thread cannot keep the process.
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "actors/config.hpp"
#include "gateway/commands/commands.hpp"
#include "gateway/commands/running_node.hpp"

namespace troupe::gateway {
namespace {

struct serve_options {
  std::filesystem::path config, model;
  std::optional<std::uint16_t> port;
};

/// The config file, then what the command line says instead.
expected<actors::config> resolve(const serve_options& options) {
  const char* home_variable = std::getenv("HOME");
  const std::string home = home_variable ? home_variable : "";
  const actors::config_origin here{std::filesystem::current_path(), home};
  auto config = options.config.empty() ? actors::parse_config("", here) : actors::load_config(options.config, home);
  if (!config) return config;
  if (!options.model.empty()) {
    // One model instead of the file's: it keeps the first one's aliases, and the workers compute it instead.
    actors::model_config model;
    model.path = std::filesystem::absolute(options.model).lexically_normal();
    if (!model.path.has_filename()) model.path = model.path.parent_path();
    model.name = model.path.filename().string();
    if (!config->models.empty()) model.aliases = config->models.front().aliases;
    config->models = {model};
    if (config->workers.empty()) config->workers.emplace_back();
    for (auto& worker : config->workers) worker.model = model.name;
  }
  if (options.port) config->gateway.port = *options.port;
  if (config->models.empty()) return failure{errc::invalid_request, "no model: give --model DIR, or a config with a [[model]]", "model"};
  return config;
}

/// With TLS a hang-up has its certificate read again; without, it ends the process as it does others.
sigset_t handled_signals(const actors::config& config) {
  sigset_t set;
  sigemptyset(&set);
  if (!config.gateway.tls_certificate.empty()) sigaddset(&set, SIGHUP);
  for (const int signal : {SIGTERM, SIGINT, node_ended_signal}) sigaddset(&set, signal);
  return set;
}

int wait_for_signal(const sigset_t& set) {
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  return signal;
}

/// Whoever a thread wakes waits for a core until one is free, rather than take that of the waker, which has a message or two more to send: a
/// turn goes through a dozen actors. All threads inherit it; a kernel that refuses serves too.
void work_in_batches() {
  const sched_param none{};
  [[maybe_unused]] const int ignored = ::sched_setscheduler(0, SCHED_BATCH, &none);
}

int serve(const serve_options& options) {
  const auto config = resolve(options);
  if (!config) return fail(config.error().message);
  spdlog::set_level(spdlog::level::from_str(config->log.level));
  const auto signals = handled_signals(*config);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread exists: all inherit it
  signal(SIGPIPE, SIG_IGN);
  work_in_batches();
  auto node = running_node::start(*config);
  if (!node) return fail(node.error().message);
  std::printf("listening on %s://%s:%u\n", config->gateway.tls_certificate.empty() ? "http" : "https", config->gateway.address.c_str(),
              (*node)->port());
  std::fflush(stdout);
  int received = wait_for_signal(signals);
  for (; received == SIGHUP; received = wait_for_signal(signals)) (*node)->reload_tls();
  if (received == node_ended_signal) {
    alarm(config->node.drain_s + 5);
    node->reset();
    return fail("the node gave up; its log says why");
  }
  std::printf("draining, at most %u s\n", config->node.drain_s);
  std::fflush(stdout);
  alarm(config->node.drain_s + 20);
  const auto told = (*node)->drain(std::chrono::seconds(config->node.drain_s));
  node->reset();
  std::printf("drained: %u turns finished, %u were told to try again\n", told.turns_finished, told.turns_told);
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, command& run) {
  auto options = std::make_shared<serve_options>();
  auto* sub = app.add_subcommand("serve", "Serve models over HTTP, all roles in this process");
  sub->add_option("--config", options->config, "TOML file; configs/node.toml lists every key")->check(CLI::ExistingFile);
  sub->add_option("--model", options->model, "Hugging Face model folder, instead of the config's models")->check(CLI::ExistingDirectory);
  sub->add_option("--port", options->port, "Instead of the config's; 0: any free one");
  sub->callback([options, &run] { run = [options] { return serve(*options); }; });
}

}  // namespace troupe::gateway
