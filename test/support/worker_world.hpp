// One worker over a backend that computes when it is told to, with the sessions and shards that it speaks to.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "actors/worker.hpp"
#include "test/support/actor_fixture.hpp"
#include "test/support/manual_backend.hpp"

namespace troupe::test {

inline constexpr std::uint64_t seed = 77;
inline constexpr std::uint32_t block_tokens = 4;

/// One worker over a backend that computes when told: token at position p is p.
struct worker_world : actor_fixture {
  std::shared_ptr<manual_device> device = std::make_shared<manual_device>();
  worker_actor worker;

  actors::worker_setup setup() {
    actors::worker_setup setup;
    setup.device.worker = {3};
    setup.device.model = {"m"};
    setup.device.epoch = 9;
    setup.device.scheduler.context_tokens_max = 60;
    setup.device.pool.block_tokens = block_tokens;
    setup.make_backend = [device = device](core::backend::completion done) -> expected<std::unique_ptr<core::backend>> {
      return std::unique_ptr<core::backend>{std::make_unique<manual_backend>(device, std::move(done))};
    };
    return setup;
  }
  void start() { worker = spawn(troupe::actors::worker, setup()); }

  std::pair<sequence_sink_actor, inbox<sequence_progress>> sink() { return probe<sequence_sink_actor, sequence_progress>(); }

  /// Completes the oldest step and lets its meaning arrive.
  void finish() {
    REQUIRE_FALSE(device->submitted.empty());
    device->finish();
    run();
  }
  void finish_all() {
    while (!device->submitted.empty()) finish();
  }
  worker_status status() { return request<worker_status>(worker, worker_status_request{}).get(); }
};

inline admit_request admission(std::uint64_t id, std::uint32_t prompt_tokens = 10, std::uint32_t tokens_max = 3, token_id first = 100) {
  admit_request request;
  request.id = {id};
  request.tokens.resize(prompt_tokens);
  std::iota(request.tokens.begin(), request.tokens.end(), first);
  request.scope_seed = seed;
  request.owner = {id};
  request.sampling.temperature = 0;
  request.tokens_max = tokens_max;
  core::block_hasher{seed, block_tokens}.extend(request.chain, request.tokens);
  return request;
}

inline std::vector<token_id> tokens_of(const std::vector<sequence_progress>& messages) {
  std::vector<token_id> tokens;
  for (const auto& message : messages) {
    if (!message.tokens.empty()) CHECK(message.first_index == tokens.size());
    for (const auto& token : message.tokens) tokens.push_back(token.token);
  }
  return tokens;
}

using token_list = std::vector<token_id>;

/// A router shard that only listens.
struct listener_log {
  std::vector<block_events> blocks;
  std::vector<load_report> loads;
};

inline shard_sink_actor listen(worker_world& world, std::shared_ptr<listener_log> log) {
  auto behaviour = [log](shard_sink_actor::pointer) -> shard_sink_actor::behavior_type {
    return {[log](const block_events& events) { log->blocks.push_back(events); },
            [log](const load_report& report) { log->loads.push_back(report); }};
  };
  auto shard = world.spawn(behaviour);
  world.tell(world.worker, shard_joined{0}, shard);
  return shard;
}

}  // namespace troupe::test
