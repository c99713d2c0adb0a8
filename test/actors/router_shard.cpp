#include "actors/router_shard.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "actors/register.hpp"
#include "actors/worker.hpp"
#include "test/support/actor_fixture.hpp"
#include "test/support/manual_backend.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t seed = 77;
constexpr std::uint32_t block_tokens = 4;

/// A worker that only remembers what its shard told it.
struct worker_log {
  std::vector<shard_sink_actor> shards;
  int snapshots_asked = 0;
};

worker_actor::behavior_type silent_worker(worker_actor::pointer, std::shared_ptr<worker_log> log) {
  return {[](const admit_request& request, const sequence_sink_actor&) { return request.id; },
          [](const sequence_cancel&) {},
          [](const owner_release&) { return owner_released{}; },
          [](const turn_outcome&) { return pause_forecast{}; },
          [](const owner_forget&) {},
          [](const owner_intent&) { return intent_applied{}; },
          [](const owner_demote&) { return owner_demoted{}; },
          [](const prefetch_request& request) { return prefetch_done{request.id, 0, 0}; },
          [](const worker_status_request&) { return worker_status{}; },
          [log](const shard_joined&, const shard_sink_actor& shard) { log->shards.push_back(shard); },
          [log](const snapshot_request&) { ++log->snapshots_asked; }};
}

std::vector<core::block_identity> chain_of(const std::vector<token_id>& tokens) {
  std::vector<core::block_identity> chain;
  core::block_hasher{seed, block_tokens}.extend(chain, tokens);
  return chain;
}

/// `count` tokens from `first` on.
std::vector<token_id> prompt(std::uint32_t count, token_id first = 100) {
  std::vector<token_id> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

route_request route(std::uint64_t id, const std::vector<token_id>& tokens, std::uint32_t timeout_ms = 60'000) {
  route_request request;
  request.id = {id};
  request.model = {"m"};
  request.chain = chain_of(tokens);
  request.prompt_tokens = static_cast<std::uint32_t>(tokens.size());
  request.timeout_ms = timeout_ms;
  return request;
}

struct shard_world : test::actor_fixture {
  router_shard_actor shard;
  std::map<std::uint32_t, std::shared_ptr<worker_log>> logs;

  explicit shard_world(core::route_queue_options queue = {}) { shard = spawn(router_shard, router_setup{4, std::move(queue)}); }

  using route_answer = test::answer<route_grant, worker_actor>;
  route_answer ask(const route_request& request) { return this->request<route_grant, worker_actor>(shard, request); }

  void join(std::uint32_t id, const worker_actor& worker, std::uint64_t epoch = 1) {
    tell(shard, worker_joined{{id}, {"m"}, epoch, block_tokens}, worker);
  }
  /// A silent worker with an empty cache.
  worker_actor add_silent(std::uint32_t id, std::uint64_t epoch = 1) {
    logs[id] = std::make_shared<worker_log>();
    worker_actor worker = spawn(silent_worker, logs[id]);
    join(id, worker, epoch);
    tell(shard, block_events{{id}, epoch, 0, {}, true});
    return worker;
  }
  void announce(std::uint32_t id, std::uint64_t first, const std::vector<core::block_identity>& chain, std::uint64_t epoch = 1) {
    block_events changes{{id}, epoch, first, {}, false};
    block_hash parent;
    for (const auto& block : chain) {
      changes.events.push_back({core::block_event::kind::stored, block, parent});
      parent = block.hash;
    }
    tell(shard, changes);
  }
};

}  // namespace

TEST_CASE("a route is answered with the worker's handle, and the shard introduces itself to the worker") {
  shard_world world;
  auto worker = world.add_silent(5);
  REQUIRE(world.logs[5]->shards.size() == 1);
  CHECK(world.logs[5]->shards[0] == world.shard);
  auto answer = world.ask(route(1, prompt(9)));
  REQUIRE(answer.ready());
  CHECK(answer.get().id == request_id{1});
  CHECK(answer.get().worker == worker_id{5});
  CHECK(answer.get<1>() == worker);
}

TEST_CASE("four routes at once for a shared prefix: one computes, three wait, and all end on the worker that has it") {
  shard_world world;
  auto device = std::make_shared<test::manual_device>();
  worker_setup setup;
  setup.device.worker = {1};
  setup.device.model = {"m"};
  setup.device.epoch = 1;
  setup.device.pool.block_tokens = block_tokens;
  setup.make_backend = [device](core::backend::completion done) -> expected<std::unique_ptr<core::backend>> {
    return std::unique_ptr<core::backend>{std::make_unique<test::manual_backend>(device, std::move(done))};
  };
  worker_actor worker = world.spawn(troupe::actors::worker, setup);
  world.join(1, worker);
  std::vector<shard_world::route_answer> answers;
  std::vector<std::vector<token_id>> prompts;
  for (std::uint64_t id = 0; id < 4; ++id) {
    prompts.push_back(prompt(9));
    prompts.back().back() = static_cast<token_id>(500 + id);
    answers.push_back(world.ask(route(id, prompts.back())));
  }
  REQUIRE(answers[0].ready());
  CHECK_FALSE(answers[0].get().waited);
  for (std::size_t id = 1; id < 4; ++id) CHECK_FALSE(answers[id].ready());

  auto [sink, progress] = world.probe<sequence_sink_actor, sequence_progress>();
  admit_request admission;
  admission.id = {0};
  admission.tokens = prompts[0];
  admission.scope_seed = seed;
  admission.owner = {1};
  admission.tokens_max = 1;
  world.tell(worker, admission, sink);
  while (!device->submitted.empty()) {
    device->finish();
    world.run();
  }
  for (std::size_t id = 1; id < 4; ++id) {
    REQUIRE(answers[id].ready());
    CHECK(answers[id].get().matched_blocks == 2);
    CHECK(answers[id].get().waited);
    CHECK(answers[id].get<1>() == worker);
  }
}

TEST_CASE("a lease expires in virtual time: the next waiter computes") {
  shard_world world;
  world.add_silent(1);
  auto first = world.ask(route(1, prompt(9)));
  auto second = world.ask(route(2, prompt(9)));
  auto third = world.ask(route(3, prompt(9)));
  CHECK(first.ready());
  world.advance(limits::compute_lease - 100ms);
  CHECK_FALSE(second.ready());
  world.advance(200ms);
  REQUIRE(second.ready());
  CHECK(second.get().waited);
  CHECK_FALSE(third.ready());
  world.tell(world.shard, route_end{{2}});
  CHECK(third.ready());
}

TEST_CASE("the death of a worker wakes its waiters, who find another") {
  shard_world world;
  auto doomed = world.add_silent(1);
  auto first = world.ask(route(1, prompt(9)));
  auto second = world.ask(route(2, prompt(9)));
  CHECK(first.get<1>() == doomed);
  auto other = world.add_silent(2);
  CHECK_FALSE(second.ready());
  world.end(doomed, caf::exit_reason::kill);
  REQUIRE(second.ready());
  CHECK(second.get<1>() == other);
  auto again = world.ask(route(1, prompt(9)));  // the turn of the dead worker comes back and waits like anyone
  CHECK_FALSE(again.ready());
  world.announce(2, 0, chain_of(prompt(9)));
  REQUIRE(again.ready());
  CHECK(again.get().matched_blocks == 2);
}

TEST_CASE("without any worker a route waits until its deadline, and is served when one comes back in time") {
  shard_world world;
  auto early = world.ask(route(1, prompt(9), 500));
  world.advance(600ms);
  CHECK(early.code() == errc::not_ready);
  auto worker = world.add_silent(1);
  world.end(worker);
  auto lost = world.ask(route(2, prompt(9), 500));
  auto patient = world.ask(route(3, prompt(9), 5000));
  world.advance(600ms);
  CHECK(lost.code() == errc::worker_lost);
  CHECK_FALSE(patient.ready());
  world.add_silent(1, 2);
  REQUIRE(patient.ready());
  CHECK_FALSE(patient.failed());
}

TEST_CASE("a worker of a newer epoch takes the place of the old one; what the old one still says is ignored") {
  shard_world world;
  auto old = world.add_silent(1, 1);
  auto fresh = world.add_silent(1, 2);
  world.announce(1, 0, chain_of(prompt(9)), 1);
  auto answer = world.ask(route(1, prompt(9)));
  CHECK(answer.get().matched_blocks == 0);
  CHECK(answer.get<1>() == fresh);
  world.end(old);  // its end says nothing about the new one
  CHECK_FALSE(world.ask(route(2, prompt(9, 300))).failed());
  world.join(1, old, 1);
  CHECK(world.ask(route(3, prompt(9, 500))).get<1>() == fresh);
}

TEST_CASE("a gap in the events makes the shard ask that worker for a snapshot") {
  shard_world world;
  world.add_silent(1);
  world.add_silent(2);
  world.announce(1, 0, chain_of(prompt(9)));
  CHECK(world.logs[1]->snapshots_asked == 0);
  world.announce(1, 5, chain_of(prompt(9, 300)));
  CHECK(world.logs[1]->snapshots_asked == 1);
  CHECK(world.logs[2]->snapshots_asked == 0);
}

TEST_CASE("the queue is bounded") {
  shard_world world{{.policy = "cost", .seed = 1, .waiting_max = 2, .lease = limits::compute_lease}};
  auto first = world.ask(route(1, prompt(9)));
  auto second = world.ask(route(2, prompt(9)));
  auto third = world.ask(route(3, prompt(9)));
  CHECK_FALSE(first.ready());
  CHECK_FALSE(second.ready());
  CHECK(third.code() == errc::queue_full);
}

TEST_CASE("a repeated id replaces the earlier request, which is told so") {
  shard_world world;
  auto first = world.ask(route(1, prompt(9)));
  auto second = world.ask(route(1, prompt(9)));
  CHECK(first.code() == errc::cancelled);
  CHECK_FALSE(second.ready());
  world.add_silent(1);
  CHECK(second.ready());
  CHECK_FALSE(second.failed());
}

TEST_CASE("a turn that is given up leaves its place and is answered") {
  shard_world world;
  auto waiting = world.ask(route(1, prompt(9)));
  world.tell(world.shard, route_end{{1}});
  CHECK(waiting.code() == errc::cancelled);
  world.tell(world.shard, route_end{{1}});
  world.add_silent(1);
  CHECK_FALSE(world.ask(route(2, prompt(9))).failed());
}

TEST_CASE("when the shard ends, everyone who waits is answered") {
  shard_world world;
  auto waiting = world.ask(route(1, prompt(9)));
  world.end(world.shard, caf::exit_reason::kill);
  CHECK(waiting.code() == errc::not_ready);
}

TEST_CASE("an unknown policy ends the shard with the names of the known ones") {
  test::actor_fixture fixture;
  auto shard = fixture.system().spawn(router_shard, router_setup{0, {.policy = "best", .seed = 1, .waiting_max = 1, .lease = 1s}});
  auto reason = fixture.watch(shard);
  REQUIRE(reason->has_value());
  CHECK(to_failure(**reason).code == errc::invalid_request);
  CHECK(to_failure(**reason).param == "policy");
}

TEST_CASE("routers are registered by the names of the policies") {
  test::actor_fixture fixture;
  behaviour_registry registry;
  register_behaviours(registry);
  for (auto name : core::routing_policy_names()) {
    auto factory = registry.routers.find(std::string{name});
    REQUIRE(factory);
    auto shard = fixture.track((*factory)(fixture.system(), router_setup{}));
    fixture.run();
    CHECK_FALSE(fixture.request<route_grant, worker_actor>(shard, route(1, prompt(9))).failed());
  }
  auto unknown = registry.routers.find("best");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message == "unknown router behaviour 'best'; known are cost, direct, least_loaded, random, round_robin, sticky");
  CHECK(unknown.error().param == "router.behaviour");
}
