#include "test/node/whole_node.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "actors/node.hpp"
#include "gateway/commands/running_node.hpp"
#include "messages/errors.hpp"

namespace troupe::test {
namespace {

constexpr auto ask_wait = std::chrono::seconds{10};

std::filesystem::path fresh_folder() {
  static std::atomic<int> count{0};
  auto folder =
      std::filesystem::temp_directory_path() / ("troupe_node_" + std::to_string(::getpid()) + "_" + std::to_string(count.fetch_add(1)));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

/// A node that gives up raises a signal, which must not end the tests.
void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {gateway::node_ended_signal, SIGPIPE}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

actors::config config_of(const node_wish& wish, const std::filesystem::path& folder) {
  const auto model = wish.model_path.empty() ? (folder_of("TROUPE_SOURCE") / "configs/models/builtin").string() : wish.model_path;
  const auto text = "[node]\ndata_dir = \"" + folder.string() + "\"\n[gateway]\nport = 0\n" + wish.sections + "\n[[model]]\npath = \"" +
                    model + "\"\nname = \"tiny\"\n" + wish.model_keys + "\n[[worker]]\n" + wish.worker_keys;
  auto config = actors::parse_config(text, {folder, {}});
  if (!config) throw std::runtime_error(config.error().message);
  return *config;
}

/// Asks the node actor from a thread that is no actor.
template <class Answer, class Question>
Answer ask_node(gateway::running_node& node, const Question& question) {
  caf::scoped_actor self{node.system()};
  Answer result{};
  std::string problem;
  self->request(caf::actor_cast<actors::node_local_actor>(node.node()), ask_wait, question)
      .receive([&](const Answer& answer) { result = answer; }, [&](const caf::error& error) { problem = to_failure(error).message; });
  if (!problem.empty()) throw std::runtime_error("the node does not answer: " + problem);
  return result;
}

actors::child_request::kind kind_of(child what) {
  switch (what) {
    case child::session_directory:
      return actors::child_request::kind::session_directory;
    case child::router_shard:
      return actors::child_request::kind::router_shard;
    case child::worker:
      return actors::child_request::kind::worker;
    case child::host_tier:
      return actors::child_request::kind::host_tier;
    case child::store_tier:
      return actors::child_request::kind::store_tier;
    case child::template_renderer:
      return actors::child_request::kind::template_renderer;
    case child::trace:
      return actors::child_request::kind::trace;
  }
  throw std::runtime_error("no such kind of child");
}

}  // namespace

struct whole_node::state {
  std::unique_ptr<gateway::running_node> node;

  caf::strong_actor_ptr find(child what, std::size_t index) const {
    return ask_node<caf::strong_actor_ptr>(*node, actors::child_request{kind_of(what), index});
  }
};

std::filesystem::path folder_of(const char* variable) {
  const char* value = std::getenv(variable);
  if (!value) throw std::runtime_error(std::string{variable} + " is not set");
  return value;
}

whole_node::whole_node(const node_wish& wish) : folder_(fresh_folder()), state_(std::make_unique<state>()) {
  block_signals();
  spdlog::set_level(spdlog::level::critical);
  auto started = gateway::running_node::start(config_of(wish, folder_));
  if (!started) throw std::runtime_error(started.error().message);
  state_->node = std::move(*started);
}

whole_node::~whole_node() {
  state_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::uint16_t whole_node::port() const { return state_->node->port(); }
drain_done whole_node::drain(std::chrono::milliseconds within) { return state_->node->drain(within); }
void whole_node::end() { state_->node.reset(); }

node_status whole_node::status() { return ask_node<node_status>(*state_->node, node_status_request{}); }

worker_status whole_node::worker() {
  auto now = status();
  if (now.workers.size() != 1) throw std::runtime_error("not one worker: " + describe(now));
  return now.workers.front();
}

void whole_node::kill(child what, std::size_t index) {
  const auto victim = state_->find(what, index);
  if (!victim) throw std::runtime_error("there is no such child");
  caf::anon_send_exit(caf::actor_cast<caf::actor>(victim), caf::exit_reason::kill);
  const auto deadline = std::chrono::steady_clock::now() + ask_wait;
  while (state_->find(what, index) == victim) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the child was not restarted");
    pause();
  }
}

http_reply whole_node::ask(const std::string& method, const std::string& path, const std::string& body, const http_fields& fields) {
  return http_client{port()}.request(method, path, body, fields);
}

void whole_node::throw_late(const node_status& last) { throw std::runtime_error("it did not come to pass: " + describe(last)); }

void whole_node::pause() { std::this_thread::sleep_for(std::chrono::milliseconds{5}); }

std::string describe(const node_status& status) {
  std::string text = status.state + ", " + std::to_string(status.sessions) + " sessions, " + std::to_string(status.turns_running) +
                     " turns, " + std::to_string(status.restarts) + " restarts";
  for (const auto& each : status.workers)
    text += "; worker " + std::to_string(each.worker.value) + "." + std::to_string(each.epoch) + ": " + std::to_string(each.running) +
            " running, " + std::to_string(each.waiting) + " waiting, blocks " + std::to_string(each.blocks_free) + " free of " +
            std::to_string(each.blocks_total) + ", " + std::to_string(each.blocks_leased) + " leased, " +
            std::to_string(each.blocks_cached) + " cached, integrity '" + each.integrity + "'";
  for (const auto& each : status.tiers)
    text += "; " + each.kind + "." + std::to_string(each.epoch) + ": blocks " + std::to_string(each.blocks_free) + " free of " +
            std::to_string(each.blocks_total) + ", " + std::to_string(each.blocks_leased) + " leased, " +
            std::to_string(each.blocks_cached) + " cached, integrity '" + each.integrity + "'";
  return text;
}

}  // namespace troupe::test
