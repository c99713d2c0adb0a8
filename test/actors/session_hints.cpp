// What hints change of a session and of the order in queues.
#include <doctest/doctest.h>

#include "actors/turn.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using core::finish_reason;

namespace {

agent_hints hints_of(work_class urgency, std::uint32_t tier, std::int32_t priority) {
  agent_hints hints;
  hints.urgency = urgency;
  hints.tier = tier;
  hints.priority = priority;
  return hints;
}

struct hinted_session : session_stage {
  hinted_session() : worker(add_worker(1)), session(start(setup())) { std::tie(to, heard) = sink(); }

  void answer(turn_request request, const std::string& text) {
    const auto id = request.id.value;
    this->request<request_id>(session, request, to);
    say(worker, started(id, static_cast<std::uint32_t>(worker.script->admitted.back().tokens.size()), 0));
    say(worker, tokens(id, 0, text));
    say(worker, ended(id, finish_reason::stop));
  }
  session_info info() { return this->request<session_info>(session, session_find{}).get(); }

  fake_worker_place worker;
  actors::session_local_actor session;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

}  // namespace

TEST_CASE("queues order by class, then tier, then priority, and what is computed ahead comes last") {
  using actors::queue_priority;
  CHECK(queue_priority({}) == 0);
  CHECK(queue_priority(hints_of(work_class::normal, 0, 5)) == 5);
  CHECK(queue_priority(hints_of(work_class::normal, 1, -100)) == 101);
  CHECK(queue_priority(hints_of(work_class::interactive, 0, -100)) == 1910);
  CHECK(queue_priority(hints_of(work_class::normal, 9, 100)) == 1909);
  CHECK(queue_priority(hints_of(work_class::background, 9, 100)) == -101);
  CHECK(queue_priority(hints_of(work_class::background, 0, -100)) == -2110);
  CHECK(actors::ahead_priority == -2111);
}

TEST_CASE("the worker and the router are told the order that the hints make") {
  hinted_session stage;
  auto request = stage.chat(1, "hi");
  request.hints = hints_of(work_class::interactive, 2, 3);
  stage.answer(request, "ok");
  CHECK(stage.worker.script->admitted[0].priority == 2010 + 2 * 201 + 3);
  CHECK(stage.routes->asked[0].priority == 2010 + 2 * 201 + 3);
}

TEST_CASE("a time at which the session will be back is the length of a pause") {
  hinted_session stage;
  stage.answer(stage.chat(1, "hi"), "ok");
  REQUIRE(stage.worker.script->outcomes.size() == 1);
  CHECK(stage.worker.script->outcomes[0].pause.expected_ms == -1);
  const auto now_ms = stage.info().used_ms;
  auto later = stage.chat(2, "hi");
  later.hints.resume_at_ms = now_ms + 5'000;
  stage.answer(later, "ok");
  CHECK(stage.worker.script->outcomes.back().pause.expected_ms == 5'000);
  auto past = stage.chat(3, "hi");
  past.hints.resume_at_ms = now_ms;
  stage.answer(past, "ok");
  CHECK(stage.worker.script->outcomes.back().pause.expected_ms == -1);
}

TEST_CASE("nothing is computed ahead for a session that does not want it") {
  hinted_session stage;
  auto request = stage.chat(1, "hi");
  request.hints.speculate = false;
  stage.answer(request, "<think>hmm hmm hmm</think>ok");
  CHECK(stage.worker.script->admitted.size() == 1);
  stage.answer(stage.chat(2, "hi"), "<think>hmm hmm hmm</think>ok");
  CHECK(stage.worker.script->admitted.size() == 3);
}

TEST_CASE("a turn that says it is beside the conversation changes no state, and a breakpoint has the weight that it is given") {
  hinted_session stage;
  auto title = stage.chat(1, "name this");
  title.hints.is_side = true;
  stage.request<request_id>(stage.session, title, stage.to);
  CHECK(stage.info().state == session_state::idle);
  auto request = stage.chat(2, "hi");
  request.prompt.messages[0].blocks[0].cache_ttl_ms = 60'000;
  request.hints.breakpoint_priority = 20;
  stage.answer(request, "ok");
  REQUIRE(stage.worker.script->intents.size() == 1);
  CHECK(stage.worker.script->intents[0].wishes.at(0).rank == 20);
}
