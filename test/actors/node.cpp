// A whole node on one thread in virtual time: real actors, a renderer without Python, and devices that compute when told.
#include "actors/node.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>

#include "actors/register.hpp"
#include "messages/base/limits.hpp"
#include "test/support/manual_backend.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

/// Crashes its worker at the next step while `broken`.
class breakable_backend : public manual_backend {
 public:
  breakable_backend(std::shared_ptr<manual_device> device, std::shared_ptr<bool> broken, completion done)
      : manual_backend(std::move(device), std::move(done)), broken_(std::move(broken)) {}
  using manual_backend::submit;
  ticket_id submit(core::step_plan plan) override {
    if (*broken_) throw std::runtime_error("the device is on fire");
    return manual_backend::submit(std::move(plan));
  }

 private:
  std::shared_ptr<bool> broken_;
};

struct node_stage : session_stage {
  explicit node_stage(std::uint32_t workers = 2) {
    actors::node_parts parts;
    parts.placement = actors::node_parts::threads::shared;
    parts.models = models;
    for (std::uint32_t id = 1; id <= workers; ++id) parts.workers.push_back(worker_of(id));
    parts.renderer.where = actors::template_renderer_setup::thread::shared;
    parts.renderer.make = [] {
      return expected<actors::render_function>{[](const std::string&, const std::string&) { return expected<std::string>{"hi"}; }};
    };
    actors::behaviour_registry behaviours;
    actors::register_behaviours(behaviours);
    parts.make_router = [this, make = *behaviours.routers.find("cost")](caf::actor_system& system, actors::router_setup setup) {
      return router = make(system, std::move(setup));
    };
    parts.trace.models = {{"tiny"}};
    parts.directory.models = models;
    parts.directory.journal = journal;
    std::filesystem::remove(journal);
    node = track(actors::spawn_node(system(), std::move(parts)));
    run();
    std::tie(to, heard) = sink();
  }
  ~node_stage() {
    end(node);
    std::filesystem::remove(journal);
  }

  actors::worker_setup worker_of(std::uint32_t id) {
    auto device = std::make_shared<manual_device>();
    auto broken = std::make_shared<bool>(false);
    devices.push_back(device);
    breaks.push_back(broken);
    actors::worker_setup setup;
    setup.device.worker = {id};
    setup.device.model = {"tiny"};
    setup.device.scheduler.context_tokens_max = 100;
    setup.device.pool.block_tokens = 4;
    setup.make_backend = [device, broken](core::backend::completion done) {
      return expected<std::unique_ptr<core::backend>>{std::make_unique<breakable_backend>(device, broken, std::move(done))};
    };
    return setup;
  }
  session_actor spawn_one(const std::string& id) {
    auto directory = request<session_directory_actor>(node, directory_request{}).get();
    return request<session_info, session_actor>(directory, session_spawn{{id}, {}, {}, 0}).get<1>();
  }
  /// Lets every device finish what it was given, until nothing moves.
  void compute() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& device : devices)
        if (!device->submitted.empty()) {
          device->finish();
          run();
          moved = true;
        }
    }
  }
  node_status status() { return request<node_status>(node, node_status_request{}).get(); }

  std::filesystem::path journal = std::filesystem::temp_directory_path() / ("troupe_node_" + std::to_string(::getpid()) + ".journal");
  std::vector<std::shared_ptr<manual_device>> devices;
  std::vector<std::shared_ptr<bool>> breaks;
  router_shard_actor router;  ///< the latest
  actors::node_local_actor node;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

turn_request four_tokens(std::uint64_t id) {
  auto request = session_stage::text(id, std::string(9, 'x'));
  request.tokens_max = 4;
  request.ignore_eos = true;
  return request;
}

/// The tokens of a manual device are their positions.
const std::string four_texts = "\x09\x0a\x0b\x0c";

std::string text_of(const lines& heard) {
  std::string text;
  for (const auto& line : heard)
    if (const auto at = line.find(" text "); at != std::string::npos) text += line.substr(at + 6);
  return text;
}

}  // namespace

TEST_CASE("a node serves a turn from directory to device and back") {
  node_stage stage;
  CHECK(stage.status().state == "ready");
  auto session = stage.spawn_one("a");
  stage.request<request_id>(session, four_tokens(1), stage.to);
  stage.compute();
  CHECK(stage.heard->front() == "started 9/0");
  CHECK(text_of(*stage.heard) == four_texts);
  CHECK(stage.heard->back() == "finished length");
  auto status = stage.status();
  CHECK(status.sessions == 1);
  CHECK(status.turns_running == 0);
  CHECK(status.workers.size() == 2);
  CHECK(status.workers[0].tokens_sampled + status.workers[1].tokens_sampled == 4);
}

TEST_CASE("a node renders with the renderer it has, also after that one has died") {
  node_stage stage;
  const auto render = [&](std::uint64_t id) { return stage.request<render_result>(stage.node, render_request{{id}, {"tiny"}, "{}"}).get().text; };
  CHECK(render(1) == "hi");
  const auto renderer = stage.request<caf::strong_actor_ptr>(stage.node, actors::child_request{actors::child_request::kind::template_renderer}).get();
  stage.end(caf::actor_cast<caf::actor>(renderer));
  CHECK(render(2) == "hi");
}

TEST_CASE("a worker's crash in mid-stream leaves no trace in the client's text, and the worker is back") {
  node_stage stage;
  auto session = stage.spawn_one("a");
  stage.request<request_id>(session, four_tokens(1), stage.to);
  const auto busy = stage.devices[0]->submitted.empty() ? 1U : 0U;
  stage.devices[busy]->finish();  // the prompt, and the first token
  stage.run();
  *stage.breaks[busy] = true;
  stage.devices[busy]->finish();
  stage.run();
  *stage.breaks[busy] = false;
  stage.compute();
  CHECK(text_of(*stage.heard) == four_texts);
  CHECK(stage.heard->back() == "finished length");
  CHECK(stage.status().restarts == 1);
  CHECK(stage.status().workers[busy].epoch == 2);
}

TEST_CASE("a new router is introduced to the workers and to every session") {
  node_stage stage;
  auto session = stage.spawn_one("a");
  stage.end(stage.router, caf::exit_reason::kill);
  stage.request<request_id>(session, four_tokens(1), stage.to);
  stage.compute();
  CHECK(text_of(*stage.heard) == four_texts);
  CHECK(stage.status().restarts == 1);
}

TEST_CASE("a new directory finds its sessions in the journal") {
  node_stage stage;
  stage.request<request_id>(stage.spawn_one("a"), four_tokens(1), stage.to);
  stage.compute();
  auto old = stage.request<session_directory_actor>(stage.node, directory_request{}).get();
  stage.end(old, caf::exit_reason::kill);
  auto now = stage.request<session_directory_actor>(stage.node, directory_request{}).get();
  CHECK(now != old);
  auto info = stage.request<session_info>(now, session_find{{"a"}});
  CHECK(info.get().state == session_state::dormant);
  CHECK(info.get().turns == 1);
  stage.request<request_id>(stage.spawn_one("a"), four_tokens(2), stage.to);
  stage.compute();
  CHECK(stage.heard->back() == "finished length");
}

TEST_CASE("a node whose actors die too often gives up with an error") {
  node_stage stage;
  auto ended = stage.watch(stage.node);
  for (std::size_t i = 0; i < limits::restarts_max; ++i) stage.end(stage.router, caf::exit_reason::kill);
  CHECK_FALSE(ended->has_value());
  stage.end(stage.router, caf::exit_reason::kill);
  REQUIRE(ended->has_value());
  CHECK(to_failure(**ended).code == errc::worker_lost);
}

TEST_CASE("restarts that are far apart do not add up") {
  node_stage stage;
  auto ended = stage.watch(stage.node);
  for (std::size_t i = 0; i < 2 * limits::restarts_max; ++i) {
    stage.end(stage.router, caf::exit_reason::kill);
    stage.advance(limits::restart_window / limits::restarts_max + 1s, 1s);
  }
  CHECK_FALSE(ended->has_value());
}

TEST_CASE("a drain finishes what runs, refuses what comes, and ends the node and all its actors") {
  node_stage stage;
  auto ended = stage.watch(stage.node);
  auto session = stage.spawn_one("a");
  auto session_ended = stage.watch(session);
  auto router_ended = stage.watch(stage.router);
  stage.request<request_id>(session, four_tokens(1), stage.to);
  auto drained = stage.request<drain_done>(stage.node, drain_request{1000});
  CHECK(stage.request<request_id>(session, four_tokens(2), stage.to).code() == errc::draining);
  CHECK_FALSE(drained.ready());
  stage.compute();
  REQUIRE(drained.ready());
  CHECK(drained.get() == drain_done{1, 0});
  CHECK(stage.heard->back() == "finished length");
  CHECK(ended->has_value());
  CHECK(session_ended->has_value());
  CHECK(router_ended->has_value());
  CHECK_FALSE(stage.devices[0]->is_alive);
}

TEST_CASE("metrics join what the trace counted and what workers and sessions are") {
  node_stage stage;
  stage.request<request_id>(stage.spawn_one("a"), four_tokens(1), stage.to);
  stage.compute();
  auto metrics = stage.request<metrics_text>(stage.node, metrics_request{});
  REQUIRE(metrics.ready());
  CHECK(metrics.get().text.find("tiny") != std::string::npos);
  CHECK(metrics.get().text.find("state=\"idle\"} 1") != std::string::npos);
}
