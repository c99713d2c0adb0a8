// From a config file to answers, with real threads: the built-in model, the CPU backend and the templates' own interpreter.
#include "actors/node_parts.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/all.hpp>
#include <cstdlib>

#include "actors/node.hpp"
#include "messages/errors.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct data_folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("troupe_node_parts_" + std::to_string(::getpid()));
  data_folder() { std::filesystem::remove_all(path); }
  ~data_folder() { std::filesystem::remove_all(path); }

  /// The built-in model under the given [[worker]] sections.
  [[nodiscard]] expected<actors::config> settings(const std::string& workers) const {
    const auto* source = std::getenv("TROUPE_SOURCE");
    REQUIRE_MESSAGE(source != nullptr, "TROUPE_SOURCE names the source folder");
    const auto text = "[node]\ndata_dir = \"" + path.string() + "\"\ncompute_threads = 1\n[[model]]\npath = \"" + std::string{source} +
                      "/configs/models/builtin\"\n" + workers;
    return actors::parse_config(text, {path, {}});
  }
};

struct answer_log {
  std::optional<turn_started> started;
  std::vector<std::uint32_t> sequences;
  std::optional<turn_finished> finished;
};

/// One chat turn through the node, as a gateway runs it.
answer_log run_turn(caf::actor_system& system, const actors::node_local_actor& node, std::uint64_t id) {
  answer_log log;
  caf::scoped_actor self{system};
  const auto fail = [](const caf::error& error) { FAIL(to_failure(error).message); };
  session_directory_actor directory;
  session_actor session;
  self->request(node, 10s, directory_request{}).receive([&](const session_directory_actor& found) { directory = found; }, fail);
  self->request(directory, 10s, session_spawn{{"agent"}, {}, {}, 0})
      .receive([&](const session_info&, const session_actor& found) { session = found; }, fail);
  auto request = test::session_stage::chat(id, "Hello");
  request.model = {};
  request.tokens_max = 5;
  request.sampling.temperature = 0;
  self->request(session, 10s, request, caf::actor_cast<turn_sink_actor>(self)).receive([](request_id) {}, fail);
  while (!log.finished)
    self->receive([&](const turn_started& event) { log.started = event; },
                  [&](const turn_delta& event) { log.sequences.push_back(event.sequence); },
                  [&](const turn_finished& event) { log.finished = event; }, caf::after(60s) >> [] { FAIL("no answer within a minute"); });
  return log;
}

}  // namespace

TEST_CASE("a node made from a config answers, reuses its cache for the same prompt, and drains") {
  data_folder data;
  auto settings = data.settings("[[worker]]\nblocks = 64\nblock_tokens = 4\n");
  REQUIRE(settings);
  auto parts = actors::prepare_node(*settings);
  REQUIRE_MESSAGE(parts, (parts ? "" : parts.error().message));
  caf::actor_system_config config;
  register_message_types(config);
  caf::actor_system system{config};
  auto node = actors::spawn_node(system, std::move(*parts));
  const auto first = run_turn(system, node, 1);
  REQUIRE(first.started);
  CHECK(first.started->cached_tokens == 0);
  CHECK_MESSAGE(first.finished->how != turn_end::failed, first.finished->error.message);
  const auto second = run_turn(system, node, 2);
  CHECK(second.started->prompt_tokens == first.started->prompt_tokens);
  CHECK(second.started->cached_tokens == (first.started->prompt_tokens - 1) / 4 * 4);
  CHECK(second.finished->usage.output_tokens == first.finished->usage.output_tokens);
  caf::scoped_actor self{system};
  self->request(node, 20s, drain_request{1000})
      .receive(
          [](const drain_done& done) {
            CHECK(done == drain_done{0, 0});
          },
          [](const caf::error& error) { FAIL(to_failure(error).message); });
}

TEST_CASE("the cache key is made once, for its owner's eyes only") {
  data_folder data;
  auto settings = data.settings("[[worker]]\nbackend = \"timing\"\n");
  REQUIRE(settings);
  auto first = actors::prepare_node(*settings);
  auto second = actors::prepare_node(*settings);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->models->list()[0]->secret == second->models->list()[0]->secret);
  struct stat found {};
  REQUIRE(::stat((data.path / "cache.key").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
}

TEST_CASE("what cannot work is refused before anything starts") {
  data_folder data;
  auto differ = data.settings("[[worker]]\nblock_tokens = 16\n[[worker]]\nblock_tokens = 32\n");
  REQUIRE(differ);
  CHECK(actors::prepare_node(*differ).error().param == "worker[1].block_tokens");
  auto small = data.settings("[[worker]]\nkv_bytes = 1\n");
  if (small) CHECK(actors::prepare_node(*small).error().code == errc::invalid_request);
  auto nowhere = data.settings("");
  REQUIRE(nowhere);
  nowhere->models[0].path = "/nowhere";
  CHECK_FALSE(actors::prepare_node(*nowhere));
}
