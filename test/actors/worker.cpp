#include "actors/worker.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "messages/base/limits.hpp"
#include "test/support/worker_world.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("a sequence is streamed: started once, tokens in order, one end") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto admitted = world.request<request_id>(world.worker, admission(1), sink);
  REQUIRE(admitted.ready());
  CHECK(admitted.get() == request_id{1});
  world.finish_all();
  CHECK(tokens_of(*progress) == token_list{10, 11, 12});
  CHECK(std::count_if(progress->begin(), progress->end(), [](const auto& each) { return each.started; }) == 1);
  CHECK(progress->front().started);
  CHECK(progress->front().prompt_tokens == 10);
  CHECK(progress->front().cached_tokens == 0);
  CHECK(std::count_if(progress->begin(), progress->end(), [](const auto& each) { return each.ended; }) == 1);
  CHECK(progress->back().ended);
  CHECK(progress->back().reason == core::finish_reason::length);
  CHECK(progress->back().error.code == errc::none);
  CHECK(world.status().integrity == "");
  CHECK(world.status().running == 0);
  CHECK(world.status().blocks_leased == 0);
  CHECK(world.status().blocks_cached > 0);
}

TEST_CASE("the session hears that it was accepted before it hears of its sequence") {
  worker_world world;
  world.start();
  auto heard = std::make_shared<std::vector<std::string>>();
  auto session = [heard, worker = world.worker](caf::event_based_actor* self) -> caf::behavior {
    self->request(worker, 1s, admission(1), caf::actor_cast<sequence_sink_actor>(self))
        .then([heard](request_id) { heard->push_back("accepted"); }, [heard](const caf::error&) { heard->push_back("refused"); });
    return {[heard](const sequence_progress&) { heard->push_back("progress"); }};
  };
  world.spawn(session);
  CHECK(*heard == std::vector<std::string>{"accepted", "progress"});
}

TEST_CASE("one step means one message per sequence, to whichever sink it belongs") {
  worker_world world;
  world.start();
  auto [first, first_inbox] = world.sink();
  auto [second, second_inbox] = world.sink();
  world.tell(world.worker, admission(1, 5, 8, 100), first);
  world.tell(world.worker, admission(2, 5, 8, 200), second);
  world.tell(world.worker, admission(3, 5, 8, 300), second);
  while (world.device->submitted.front().plan.samples.size() < 3) world.finish();  // until one step samples for all three
  first_inbox->clear();
  second_inbox->clear();
  world.finish();
  REQUIRE(first_inbox->size() == 1);
  CHECK(first_inbox->front().id == request_id{1});
  CHECK(first_inbox->front().tokens.size() == 1);
  REQUIRE(second_inbox->size() == 2);
  CHECK((*second_inbox)[0].id != (*second_inbox)[1].id);
  CHECK((*second_inbox)[0].tokens.size() == 1);
  CHECK((*second_inbox)[1].tokens.size() == 1);
}

TEST_CASE("when its sink dies a sequence ends within one step, prefill included") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto [other, other_progress] = world.sink();
  world.tell(world.worker, admission(1, 40, 8, 100), sink);
  world.tell(world.worker, admission(2, 5, 3, 300), other);
  world.end(sink);
  world.finish_all();
  CHECK(tokens_of(*other_progress) == token_list{5, 6, 7});
  CHECK(tokens_of(*progress).empty());
  const auto status = world.status();
  CHECK(status.running == 0);
  CHECK(status.waiting == 0);
  CHECK(status.blocks_leased == 0);
  CHECK(status.integrity == "");
}

TEST_CASE("a cancelled sequence is told so and nothing more is planned for it") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  world.tell(world.worker, admission(1, 10, 40), sink);
  world.finish();
  world.tell(world.worker, sequence_cancel{{1}});
  REQUIRE(progress->back().ended);
  CHECK(progress->back().reason == core::finish_reason::cancelled);
  CHECK(progress->back().error.code == errc::cancelled);
  const auto heard = progress->size();
  world.finish_all();
  CHECK(progress->size() == heard);
  CHECK(world.status().blocks_leased == 0);
  world.tell(world.worker, sequence_cancel{{1}});  // late, and unknown
  world.tell(world.worker, sequence_cancel{{99}});
  CHECK(progress->size() == heard);
}

TEST_CASE("a deadline fires in virtual time, also while the device says nothing") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto request = admission(1, 10, 40);
  request.timeout_ms = 250;
  world.tell(world.worker, request, sink);
  world.advance(240ms);
  CHECK_FALSE(progress->back().ended);
  world.advance(10ms + limits::load_report_interval);
  REQUIRE(progress->back().ended);
  CHECK(progress->back().reason == core::finish_reason::deadline);
  CHECK(progress->back().error.code == errc::deadline_exceeded);
  world.finish_all();
  CHECK(world.status().blocks_leased == 0);
}

TEST_CASE("a new session waits while the one at work leaves it no room, seen in load and status, and goes when that one rests") {
  worker_world world;
  auto setup = world.setup();
  setup.device.admission.wait_max = 10s;
  world.worker = world.spawn(actors::worker, setup);
  auto log = std::make_shared<listener_log>();
  listen(world, log);
  auto [sink, progress] = world.sink();
  auto [other, other_progress] = world.sink();
  world.tell(world.worker, admission(1, 40, 4, 100), sink);   // 11 of 16 blocks
  world.tell(world.worker, admission(2, 30, 3, 500), other);  // 9 more
  world.finish_all();
  REQUIRE(progress->back().ended);
  CHECK(other_progress->empty());
  world.advance(limits::load_report_interval);
  CHECK(log->loads.back().waiting == 1);
  CHECK(log->loads.back().prefill_tokens_waiting == 30);
  CHECK(world.status().sessions_waiting == 1);
  CHECK(world.status().waiting == 1);
  turn_outcome outcome{{1}, {1}, core::turn_end::stop, 40, 4, {}};
  world.request<pause_forecast>(world.worker, outcome);
  world.finish_all();
  REQUIRE_FALSE(other_progress->empty());
  CHECK(tokens_of(*other_progress) == token_list{30, 31, 32});
  CHECK(world.status().sessions_waiting == 0);
  CHECK(world.status().session_waits_by_room == 1);
  CHECK(world.status().session_waits_by_bound == 0);
  CHECK(world.status().integrity == "");
}

TEST_CASE("the wait of a new session ends at its bound, with nobody's help") {
  worker_world world;
  auto setup = world.setup();
  setup.device.admission.wait_max = 2s;
  world.worker = world.spawn(actors::worker, setup);
  auto [sink, progress] = world.sink();
  auto [other, other_progress] = world.sink();
  world.tell(world.worker, admission(1, 40, 4, 100), sink);
  world.tell(world.worker, admission(2, 30, 3, 500), other);
  world.finish_all();
  world.advance(1900ms);
  CHECK(world.device->submitted.empty());
  world.advance(100ms + limits::load_report_interval);
  world.finish_all();
  CHECK(tokens_of(*other_progress) == token_list{30, 31, 32});
  CHECK(world.status().session_waits_by_bound == 1);
}

TEST_CASE("an admit that is repeated is accepted without effect") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto [late, late_progress] = world.sink();
  world.tell(world.worker, admission(1), sink);
  auto again = world.request<request_id>(world.worker, admission(1), late);
  CHECK(again.get() == request_id{1});
  world.finish_all();
  CHECK(tokens_of(*progress) == token_list{10, 11, 12});
  CHECK(late_progress->empty());
}

TEST_CASE("what cannot be served is refused with its reason") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto refusal = [&, sink = sink](admit_request request) {
    return world.request<request_id>(world.worker, std::move(request), sink).code();
  };
  CHECK(refusal(admission(1, 50, 11)) == errc::context_length_exceeded);
  auto empty = admission(2);
  empty.tokens.clear();
  empty.chain.clear();
  CHECK(refusal(empty) == errc::invalid_request);
  auto negative = admission(3);
  negative.tokens[4] = -1;
  CHECK(refusal(negative) == errc::invalid_request);
  auto beyond = admission(4);
  beyond.tokens[4] = 1000;
  CHECK(refusal(beyond) == errc::invalid_request);
  auto none = admission(5);
  none.tokens_max = 0;
  CHECK(refusal(none) == errc::invalid_request);
  auto named = admission(6);
  named.chain.push_back(named.chain.back());
  CHECK(refusal(named) == errc::invalid_request);
  CHECK(progress->empty());
  CHECK(world.device->submitted.empty());
}

TEST_CASE("a chain may be shorter than the tokens fill") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto request = admission(1);
  request.chain.resize(1);
  world.tell(world.worker, request, sink);
  world.finish_all();
  CHECK(tokens_of(*progress) == token_list{10, 11, 12});
  auto again = world.request<request_id>(world.worker, admission(2), sink);
  world.finish_all();
  const auto started =
      std::find_if(progress->begin(), progress->end(), [](const auto& each) { return each.id == request_id{2} && each.started; });
  REQUIRE(started != progress->end());
  CHECK(started->cached_tokens == 8);
}

TEST_CASE("a turn that another worker began goes on at its position") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  auto request = admission(1, 12, 5);
  request.continued = 2;
  world.tell(world.worker, request, sink);
  world.finish_all();
  REQUIRE_FALSE(progress->empty());
  CHECK(progress->front().prompt_tokens == 10);
  token_list tokens;
  std::uint32_t first_index = 0;
  for (const auto& each : *progress) {
    if (tokens.empty() && !each.tokens.empty()) first_index = each.first_index;
    for (const auto& token : each.tokens) tokens.push_back(token.token);
  }
  CHECK(first_index == 2);
  CHECK(tokens == token_list{12, 13, 14});
}

TEST_CASE("a step that fails ends its sequences with the error, and the worker goes on") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  world.tell(world.worker, admission(1), sink);
  while (!world.device->submitted.empty()) {
    world.device->fail(errc::io_failed, "the device fell over");
    world.run();
  }
  REQUIRE(progress->back().ended);
  CHECK(progress->back().reason == core::finish_reason::failed);
  CHECK(progress->back().error.code == errc::io_failed);
  CHECK(progress->back().error.message == "the device fell over");
  progress->clear();
  world.tell(world.worker, admission(2), sink);
  world.finish_all();
  CHECK(tokens_of(*progress) == token_list{10, 11, 12});
  CHECK(world.status().integrity == "");
}

TEST_CASE("a backend that cannot be made ends the worker with its reason") {
  worker_world world;
  auto setup = world.setup();
  setup.make_backend = [](auto) -> expected<std::unique_ptr<core::backend>> { return failure{errc::io_failed, "no device", {}}; };
  auto failing = world.system().spawn(worker, setup);
  auto reason = world.watch(failing);
  REQUIRE(reason->has_value());
  CHECK(to_failure(**reason) == failure{errc::io_failed, "no device", {}});

  setup.make_backend = [](auto) -> expected<std::unique_ptr<core::backend>> { throw std::runtime_error{"driver too old"}; };
  auto throwing = world.system().spawn(worker, setup);
  reason = world.watch(throwing);
  REQUIRE(reason->has_value());
  CHECK(to_failure(**reason) == failure{errc::internal, "worker: driver too old", {}});

  setup = world.setup();
  setup.device.pool.block_count = 17;
  auto unfit = world.system().spawn(worker, setup);
  reason = world.watch(unfit);
  REQUIRE(reason->has_value());
  CHECK(to_failure(**reason).param == "block_count");
  CHECK_FALSE(world.device->is_alive);
}

TEST_CASE("ending a worker waits for its device, and completions that come later are dropped") {
  worker_world world;
  world.start();
  auto [sink, progress] = world.sink();
  world.tell(world.worker, admission(1, 10, 20), sink);
  REQUIRE_FALSE(world.device->submitted.empty());
  world.end(world.worker);
  CHECK_FALSE(world.device->is_alive);
  CHECK(world.device->submitted.empty());
  const auto heard = progress->size();
  world.device->done({1}, {});
  world.run();
  CHECK(progress->size() == heard);
  CHECK(world.request<request_id>(world.worker, admission(2), sink).code() == errc::not_ready);
}

TEST_CASE("a batch of events has one message per sequence, and a gap or a new life opens another") {
  core::sampled_token token;
  token.token = 7;
  auto messages =
      batch_progress({core::sequence_started{{1}, 10, 4}, core::sequence_token{{1}, 0, token}, core::sequence_token{{2}, 5, token},
                      core::sequence_token{{1}, 1, token}, core::sequence_token{{2}, 7, token},
                      core::sequence_ended{{1}, core::finish_reason::stop, {errc::none, {}, {}}}, core::sequence_started{{1}, 3, 0}});
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].id == request_id{1});
  CHECK(messages[0].started);
  CHECK(messages[0].tokens.size() == 2);
  CHECK(messages[0].ended);
  CHECK(messages[1].first_index == 5);
  CHECK(messages[1].tokens.size() == 1);
  CHECK(messages[2].first_index == 7);
  CHECK(messages[3].id == request_id{1});
  CHECK(messages[3].prompt_tokens == 3);
  CHECK_FALSE(messages[3].ended);
}
