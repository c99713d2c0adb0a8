#include "test/support/fake_node.hpp"

#include <caf/all.hpp>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>

#include "gateway/actor_calls.hpp"
#include "messages/errors.hpp"
#include "messages/interfaces.hpp"
#include "messages/types.hpp"

namespace troupe::test {
namespace {

constexpr auto wait_max = std::chrono::seconds(10);

struct script_log {
  mutable std::mutex mutex;
  std::condition_variable changed;
  // script
  std::function<turn_script(const turn_request&)> on_turn = [](const turn_request&) { return turn_script{}; };
  std::function<expected<verb_answer>(const session_verb&)> on_verb = [](const session_verb& verb) {
    return verb_answer{verb.id, verb_outcome::accepted, {}, 0};
  };
  std::function<expected<std::string>(const render_request&)> on_render = [](const render_request& request) { return request.input; };
  std::optional<failure> spawn_refused;
  bool spawns_ignored = false;
  node_status status{"ready", 0, 0, 0, {}};
  std::string metrics;
  // what happened
  std::vector<turn_request> turns;
  std::vector<turn_sink_actor> sinks;
  std::vector<turn_cancel> cancels;
  std::vector<request_id> sinks_gone;
  std::vector<session_spawn> spawns;
  std::vector<session_verb> verbs;
  std::vector<session_list> listings;
  std::vector<render_request> renders;
  std::size_t directories_asked = 0;
  std::map<std::string, caf::actor> sessions;
  caf::actor directory;

  template <class T, class U>
  void add(std::vector<T>& list, U&& value) {
    const std::lock_guard lock(mutex);
    list.push_back(std::forward<U>(value));
    changed.notify_all();
  }

  template <class T>
  T wait(const std::vector<T>& list, std::size_t n) {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, wait_max, [&] { return list.size() >= n; })) throw std::runtime_error("the fake node was not told in time");
    return list[n - 1];
  }
};
using log_ptr = std::shared_ptr<script_log>;

void send_event(caf::event_based_actor* self, const turn_sink_actor& sink, request_id id, gateway::turn_event event) {
  std::visit(
      [&](auto& message) {
        if constexpr (requires { message.id; }) {
          message.id = id;
          if (self)
            self->send(sink, message);
          else
            caf::anon_send(sink, message);
        }
      },
      event);
}

struct session_state {
  std::map<caf::actor_addr, request_id> sinks;
};

caf::behavior fake_session(caf::stateful_actor<session_state>* self, log_ptr log) {
  self->set_down_handler([=](const caf::down_msg& down) {
    const auto found = self->state.sinks.find(down.source);
    if (found != self->state.sinks.end()) log->add(log->sinks_gone, found->second);
  });
  return {
      [=](const turn_request& turn, const turn_sink_actor& sink) -> caf::result<request_id> {
        std::unique_lock lock(log->mutex);
        const auto script = log->on_turn(turn);
        log->sinks.push_back(sink);
        lock.unlock();
        self->state.sinks[sink.address()] = turn.id;
        self->monitor(sink);
        log->add(log->turns, turn);
        if (script.refuse) return make_error(*script.refuse);
        if (script.silent) return self->make_response_promise<request_id>();
        for (const auto& event : script.events) send_event(self, sink, turn.id, event);
        if (script.die) self->quit();
        return turn.id;
      },
      [=](const turn_cancel& cancel) { log->add(log->cancels, cancel); },
  };
}

session_info describe(const session_spawn& spawn) {
  session_info info;
  info.id = spawn.id;
  info.parent = spawn.parent;
  info.model = spawn.model;
  info.turns = 3;
  info.prompt_tokens = 100;
  info.cached_tokens = 64;
  info.output_tokens = 7;
  info.context_tokens = 42;
  info.role_tokens = {0, 9, 0, 0, 0, 0, 4, 7};  // the last is of a later version
  info.created_ms = 1000;
  info.used_ms = 2000;
  return info;
}

caf::behavior fake_directory(caf::event_based_actor* self, log_ptr log) {
  return {
      [=](const session_spawn& spawn) -> caf::result<session_info, session_actor> {
        const std::lock_guard lock(log->mutex);
        if (log->spawn_refused) return make_error(*log->spawn_refused);
        log->spawns.push_back(spawn);
        log->changed.notify_all();
        if (log->spawns_ignored) return self->make_response_promise<session_info, session_actor>();
        auto& session = log->sessions[spawn.id.value];
        if (!session) session = self->spawn(fake_session, log);
        return {describe(spawn), caf::actor_cast<session_actor>(session)};
      },
      [=](const session_find& find) -> caf::result<session_info> {
        const std::lock_guard lock(log->mutex);
        for (const auto& spawn : log->spawns)
          if (spawn.id == find.id) return describe(spawn);
        return make_error(errc::not_found, "there is no such session");
      },
      [=](const session_list& list) {
        log->add(log->listings, list);
        session_listing listing;
        const std::lock_guard lock(log->mutex);
        for (const auto& spawn : log->spawns) listing.sessions.push_back(describe(spawn));
        return listing;
      },
      [=](const session_verb& verb) -> caf::result<verb_answer> {
        log->add(log->verbs, verb);
        const std::lock_guard lock(log->mutex);
        const auto answer = log->on_verb(verb);
        if (!answer) return make_error(answer.error());
        return *answer;
      },
  };
}

caf::behavior fake_root(caf::event_based_actor* self, log_ptr log) {
  return {
      [=](const directory_request&) {
        const std::lock_guard lock(log->mutex);
        ++log->directories_asked;
        if (!log->directory) log->directory = self->spawn(fake_directory, log);
        return caf::actor_cast<session_directory_actor>(log->directory);
      },
      [=](const node_status_request&) {
        const std::lock_guard lock(log->mutex);
        return log->status;
      },
      [=](const metrics_request&) {
        const std::lock_guard lock(log->mutex);
        return metrics_text{log->metrics};
      },
      [=](const render_request& request) -> caf::result<render_result> {
        log->add(log->renders, request);
        const std::lock_guard lock(log->mutex);
        const auto text = log->on_render(request);
        if (!text) return make_error(text.error());
        return render_result{*text};
      },
  };
}

struct test_config : caf::actor_system_config {
  test_config() {
    register_message_types(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", 2);
  }
};

}  // namespace

struct fake_node::state {
  test_config config;
  caf::actor_system system{config};
  log_ptr log = std::make_shared<script_log>();
  caf::actor root;
};

fake_node::fake_node() : state_(std::make_unique<state>()) { state_->root = state_->system.spawn(fake_root, state_->log); }

fake_node::~fake_node() {
  auto& log = *state_->log;
  std::unique_lock lock(log.mutex);
  for (auto& [id, session] : log.sessions) caf::anon_send_exit(session, caf::exit_reason::kill);
  log.sessions.clear();
  log.sinks.clear();
  if (log.directory) caf::anon_send_exit(log.directory, caf::exit_reason::kill);
  log.directory = nullptr;
  lock.unlock();
  caf::anon_send_exit(state_->root, caf::exit_reason::kill);
  state_->root = nullptr;
}

gateway::actor_link_factory fake_node::links() const {
  return gateway::make_actor_links(state_->system, caf::actor_cast<gateway::gateway_node_actor>(state_->root));
}

void fake_node::play(std::function<turn_script(const turn_request&)> script) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->on_turn = std::move(script);
}

void fake_node::play(std::vector<gateway::turn_event> events) {
  play([events = std::move(events)](const turn_request&) {
    turn_script script;
    script.events = events;
    return script;
  });
}

void fake_node::refuse_spawns(failure why) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->spawn_refused = std::move(why);
}

void fake_node::ignore_spawns() {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->spawns_ignored = true;
}

void fake_node::set_status(node_status status) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->status = std::move(status);
}

void fake_node::set_metrics(std::string text) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->metrics = std::move(text);
}

void fake_node::answer_renders(std::function<expected<std::string>(const render_request&)> answer) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->on_render = std::move(answer);
}

void fake_node::answer_verbs(std::function<expected<verb_answer>(const session_verb&)> answer) {
  const std::lock_guard lock(state_->log->mutex);
  state_->log->on_verb = std::move(answer);
}

turn_request fake_node::turn(std::size_t n) { return state_->log->wait(state_->log->turns, n); }
turn_cancel fake_node::cancel(std::size_t n) { return state_->log->wait(state_->log->cancels, n); }
request_id fake_node::sink_gone(std::size_t n) { return state_->log->wait(state_->log->sinks_gone, n); }
session_spawn fake_node::spawn(std::size_t n) { return state_->log->wait(state_->log->spawns, n); }
session_verb fake_node::verb(std::size_t n) { return state_->log->wait(state_->log->verbs, n); }
render_request fake_node::render(std::size_t n) { return state_->log->wait(state_->log->renders, n); }
session_list fake_node::listing(std::size_t n) { return state_->log->wait(state_->log->listings, n); }

std::size_t fake_node::turns() const {
  const std::lock_guard lock(state_->log->mutex);
  return state_->log->turns.size();
}

std::size_t fake_node::cancels() const {
  const std::lock_guard lock(state_->log->mutex);
  return state_->log->cancels.size();
}

std::size_t fake_node::directories_asked() const {
  const std::lock_guard lock(state_->log->mutex);
  return state_->log->directories_asked;
}

void fake_node::send(std::size_t turn, gateway::turn_event event) {
  const auto id = state_->log->wait(state_->log->turns, turn).id;
  send_event(nullptr, state_->log->wait(state_->log->sinks, turn), id, std::move(event));
}

namespace {

/// Waits until the actor is really gone: afterwards nobody can be served by it.
void end_actor(caf::actor_system& system, const caf::actor& victim) {
  caf::scoped_actor self(system);
  self->send_exit(victim, caf::exit_reason::kill);
  self->wait_for(victim);
}

}  // namespace

void fake_node::kill_directory() {
  std::unique_lock lock(state_->log->mutex);
  const auto victim = std::exchange(state_->log->directory, nullptr);
  lock.unlock();
  if (victim) end_actor(state_->system, victim);
}

void fake_node::kill_session(const std::string& id) {
  std::unique_lock lock(state_->log->mutex);
  const auto victim = std::exchange(state_->log->sessions[id], nullptr);
  lock.unlock();
  if (victim) end_actor(state_->system, victim);
}

answer_events& answer_events::started(std::uint32_t prompt_tokens, std::uint32_t cached_tokens) {
  events_.push_back(turn_started{{}, prompt_tokens, cached_tokens});
  return *this;
}

answer_events& answer_events::delta(turn_delta::kind what, std::string piece) {
  turn_delta event;
  event.what = what;
  event.sequence = sequence_++;
  event.text = std::move(piece);
  events_.push_back(std::move(event));
  return *this;
}

answer_events& answer_events::tool(std::uint32_t index, std::string id, std::string name) {
  delta(turn_delta::kind::tool_begin, {});
  auto& event = std::get<turn_delta>(events_.back());
  event.tool_index = index;
  event.tool_id = std::move(id);
  event.tool_name = std::move(name);
  return *this;
}

answer_events& answer_events::arguments(std::uint32_t index, std::string piece) {
  delta(turn_delta::kind::tool_arguments, std::move(piece));
  std::get<turn_delta>(events_.back()).tool_index = index;
  return *this;
}

answer_events& answer_events::scored(std::string piece, float logprob, std::vector<std::pair<std::string, float>> top) {
  text(piece);
  auto& event = std::get<turn_delta>(events_.back());
  core::sampled_token token{7, logprob, {}};
  event.token_texts.push_back(std::move(piece));
  for (auto& [text, value] : top) {
    token.top.push_back({9, value});
    event.token_texts.push_back(std::move(text));
  }
  event.tokens.push_back(std::move(token));
  return *this;
}

answer_events& answer_events::finished(turn_end how, turn_usage usage) {
  turn_finished event;
  event.how = how;
  event.usage = usage;
  events_.push_back(std::move(event));
  return *this;
}

answer_events& answer_events::failed(failure error) {
  turn_finished event;
  event.how = turn_end::failed;
  event.error = std::move(error);
  events_.push_back(std::move(event));
  return *this;
}

}  // namespace troupe::test
