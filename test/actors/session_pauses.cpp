// What a session and its worker tell each other between two turns: outcomes, forecasts, prefetches in time, late and for nothing.
#include <doctest/doctest.h>

#include "engine/core/retention/pause_model.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using core::finish_reason;

namespace {

caf::behavior idle_tier(caf::event_based_actor*) {
  return {[](const owner_release&) { return owner_released{}; }};
}

struct paused_session : session_stage {
  paused_session() : worker(add_worker(1)) {
    services.tiers.push_back(caf::actor_cast<tier_actor>(spawn(idle_tier)));
    session = start(setup());
    std::tie(to, heard) = sink();
    worker.script->forecast = {2000, 5000, 20000, 300};
    worker.script->blocks_freed = 2;  // what a prefetch brings
  }
  /// A whole turn, which `verb` makes a tool pause.
  void turn_until_pause(std::uint64_t id, lines tools) {
    request<request_id>(session, chat(id, "hi"), to);
    say(worker, started(id, 21, 0));
    say(worker, tokens(id, 0, "ok"));
    say(worker, ended(id, finish_reason::stop));
    verb(session, "pause-" + std::to_string(id), verb_kind::tool_pause, std::move(tools));
  }
  [[nodiscard]] std::size_t prefetches() const {
    return static_cast<std::size_t>(std::ranges::count_if(worker.script->heard, [](const auto& line) { return line.starts_with("prefetch"); }));
  }

  fake_worker_place worker;
  actors::session_local_actor session;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

}  // namespace

TEST_CASE("the worker hears how an answer ended, and again when the harness says what the session waits for") {
  paused_session stage;
  stage.turn_until_pause(1, {"build", "test"});
  const auto& outcomes = stage.worker.script->outcomes;
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].id == request_id{1});
  CHECK(outcomes[0].end == core::turn_end::stop);
  CHECK(outcomes[0].prompt_tokens == 21);
  CHECK(outcomes[0].output_tokens == 3);
  CHECK(outcomes[0].pause.tool == 0);
  CHECK(outcomes[1].end == core::turn_end::tool_calls);
  CHECK(outcomes[1].pause.tool == core::tool_of({"test", "build"}));
  CHECK(outcomes[1].pause.expected_ms == -1);
  CHECK_FALSE(outcomes[1].is_side);
}

TEST_CASE("the worker is told of a side call as of one") {
  paused_session stage;
  stage.turn_until_pause(1, {"build"});
  auto title = stage.text(2, "name this");
  title.hints.is_side = true;
  stage.request<request_id>(stage.session, title, stage.to);
  stage.say(stage.worker, stage.started(2, 9, 0));
  stage.say(stage.worker, stage.tokens(2, 0, "Build"));
  stage.say(stage.worker, stage.ended(2, core::finish_reason::stop));
  const auto& last = stage.worker.script->outcomes.back();
  CHECK(last.id == request_id{2});
  CHECK(last.is_side);
  CHECK(stage.request<session_info>(stage.session, session_find{}).get().state == session_state::tool_paused);
}

TEST_CASE("the next turn says how long the pause took and what it brings") {
  paused_session stage;
  stage.turn_until_pause(1, {"build"});
  stage.advance(1500ms);
  stage.request<request_id>(stage.session, stage.text(2, "more"), stage.to);
  const auto& admitted = stage.worker.script->admitted.back();
  CHECK(admitted.paused.took_ms == 1500);
  CHECK(admitted.paused.tool == core::tool_of({"build"}));
  CHECK(admitted.input == core::turn_input::tool_result);
  REQUIRE(stage.pauses->size() == 1);
  CHECK(stage.pauses->front().tools == lines{"build"});
  CHECK(stage.pauses->front().took_ms == 1500);
  CHECK(stage.pauses->front().median_ms == 5000);
  CHECK(stage.pauses->front().prefetch == prefetch_end::none);
  CHECK(stage.prefetches() == 0);
}

TEST_CASE("blocks are fetched before the early end of the expected pause, and the next turn finds them in time") {
  paused_session stage;
  stage.turn_until_pause(1, {"build"});
  stage.advance(1690ms);  // 2,000 less the 300 that loading takes, less a step of the clock
  CHECK(stage.prefetches() == 0);
  stage.advance(20ms);
  CHECK(stage.prefetches() == 1);
  CHECK(stage.worker.script->heard.back() == "prefetch 23");  // prompt and answer
  stage.request<request_id>(stage.session, stage.text(2, "more"), stage.to);
  REQUIRE(stage.pauses->size() == 1);
  CHECK(stage.pauses->front().prefetch == prefetch_end::in_time);
  CHECK(stage.pauses->front().blocks_prefetched == 2);
}

TEST_CASE("a prefetch that has not been answered when the turn comes was late, one for a session that dies was wasted") {
  paused_session stage;
  stage.turn_until_pause(1, {"build"});
  stage.worker.script->silent_prefetch = true;
  stage.advance(1800ms);
  CHECK(stage.prefetches() == 1);
  stage.turn_until_pause(2, {"build"});
  REQUIRE(stage.pauses->size() == 1);
  CHECK(stage.pauses->front().prefetch == prefetch_end::late);
  stage.worker.script->silent_prefetch = false;
  stage.advance(1800ms);
  CHECK(stage.prefetches() == 2);
  stage.verb(stage.session, "end", verb_kind::die);
  REQUIRE(stage.pauses->size() == 2);
  CHECK(stage.pauses->back().prefetch == prefetch_end::wasted);
  CHECK(stage.pauses->back().took_ms == -1);
}

TEST_CASE("a resume that is announced fetches at once, and a pause of unknown length is not guessed") {
  paused_session stage;
  stage.worker.script->forecast = {};
  stage.turn_until_pause(1, {"deploy"});
  stage.advance(60s, 1s);
  CHECK(stage.prefetches() == 0);
  stage.verb(stage.session, "soon", verb_kind::resume);
  CHECK(stage.prefetches() == 1);
}

TEST_CASE("a hint of the harness reaches the worker, with the request or with the verb") {
  paused_session stage;
  auto asked = stage.text(1, "x");
  asked.hints.pause_ms = 700;
  stage.request<request_id>(stage.session, asked, stage.to);
  stage.say(stage.worker, stage.ended(1, finish_reason::stop));
  CHECK(stage.worker.script->outcomes.back().pause.expected_ms == 700);
  CHECK(stage.worker.script->outcomes.back().end == core::turn_end::stop);
}

TEST_CASE("a prompt that rewinds its conversation leaves the blocks behind the difference, once") {
  paused_session stage;
  stage.turn_until_pause(1, {});
  CHECK(stage.worker.script->forgotten.empty());
  auto next = stage.chat(2, "hi");
  next.prompt.messages.push_back({chat_role::assistant, {{chat_block::kind::text, "rewritten", {}, {}}}});
  next.prompt.messages.push_back({chat_role::user, {{chat_block::kind::text, "go on", {}, {}}}});
  stage.request<request_id>(stage.session, next, stage.to);
  // "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n" and "ok" are 23 tokens, 5 whole blocks; all of the first prompt is kept.
  const auto& admitted = stage.worker.script->admitted;
  REQUIRE(admitted.size() == 2);
  CHECK(std::equal(admitted[0].chain.begin(), admitted[0].chain.end(), admitted[1].chain.begin()));
  CHECK(stage.worker.script->forgotten.empty());
  stage.say(stage.worker, stage.started(2, 60, 20));
  stage.say(stage.worker, stage.tokens(2, 0, "long answer"));
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  auto last = next;
  last.id = {3};
  last.prompt.messages.push_back({chat_role::assistant, {{chat_block::kind::text, "other", {}, {}}}});
  last.prompt.messages.push_back({chat_role::user, {{chat_block::kind::text, "and?", {}, {}}}});
  stage.request<request_id>(stage.session, last, stage.to);
  REQUIRE(stage.worker.script->forgotten.size() == 1);
  CHECK(stage.worker.script->forgotten[0].cause == core::eviction_cause::rewind);
  CHECK_FALSE(stage.worker.script->forgotten[0].blocks.empty());
}

namespace {

/// The fake template shows every block it is given; this one drops reasoning, as reasoning families do for what is behind a user message.
struct reasoning_session : paused_session {
  void answer_with_reasoning() {
    request<request_id>(session, chat(1, "hi"), to);
    say(worker, started(1, 21, 0));
    say(worker, tokens(1, 0, "<think>hmm hmm hmm</think>ok"));
    say(worker, ended(1, finish_reason::stop));
  }
};

}  // namespace

TEST_CASE("after an answer with reasoning the next prompt is computed ahead, and what it will not share is given up") {
  reasoning_session stage;
  stage.answer_with_reasoning();
  const auto& admitted = stage.worker.script->admitted;
  REQUIRE(admitted.size() == 2);
  CHECK(admitted[1].is_ahead);
  CHECK(admitted[1].priority == -2111);  // below the lowest class
  CHECK(admitted[1].owner == admitted[0].owner);
  CHECK(admitted[1].tokens_max == 1);
  // The first prompt without its last line, the answer without its reasoning, and the begin of the user's message.
  const std::vector<token_id> shared(admitted[0].tokens.begin(), admitted[0].tokens.end());
  CHECK(std::equal(shared.begin(), shared.end(), admitted[1].tokens.begin()));
  REQUIRE(stage.worker.script->forgotten.size() == 1);
  CHECK(stage.worker.script->forgotten[0].cause == core::eviction_cause::rewind);
  CHECK(std::ranges::count(*stage.heard, "finished stop") == 1);

  auto next = stage.chat(2, "hi");
  next.prompt.messages.push_back({chat_role::assistant, {{chat_block::kind::text, "ok", {}, {}}}});
  next.prompt.messages.push_back({chat_role::user, {{chat_block::kind::text, "and now", {}, {}}}});
  stage.traced->clear();
  stage.request<request_id>(stage.session, next, stage.to);
  CHECK(std::equal(admitted[1].tokens.begin(), admitted[1].tokens.end(), admitted[2].tokens.begin()));
  stage.say(stage.worker, stage.started(2, 70, static_cast<std::uint32_t>(admitted[1].tokens.size()) / 4 * 4));
  CHECK(stage.traced->back() == "speculate useful 0");
}

TEST_CASE("what was computed ahead for a session that dies or says something else was wasted") {
  reasoning_session stage;
  stage.answer_with_reasoning();
  REQUIRE(stage.worker.script->admitted.size() == 2);
  const auto ahead = stage.worker.script->admitted[1].id.value;
  stage.traced->clear();
  stage.verb(stage.session, "end", verb_kind::die);
  CHECK(std::ranges::count(*stage.traced, "speculate wasted 0") == 1);
  CHECK(std::ranges::count(stage.worker.script->heard, "cancel " + std::to_string(ahead)) == 1);
}

TEST_CASE("nothing is computed ahead of a tool's result or of an answer without reasoning") {
  paused_session stage;
  stage.turn_until_pause(1, {"build"});
  CHECK(stage.worker.script->admitted.size() == 1);
}

TEST_CASE("a prompt says who speaks, and the worker hears which of the answer's blocks are reasoning") {
  reasoning_session stage;
  stage.answer_with_reasoning();
  const auto& admitted = stage.worker.script->admitted;
  REQUIRE_FALSE(admitted.empty());
  // "<|im_start|>user\n" is the template's, "hi<|im_end|>\n<|im_start|>assistant\n" the user's.
  CHECK(admitted[0].roles == std::vector<core::role_range>{{core::block_role::system, 6}, {core::block_role::user, 21}});
  REQUIRE_FALSE(stage.worker.script->outcomes.empty());
  const auto& told = stage.worker.script->outcomes[0].roles;
  // 21 tokens of the prompt, 6 until the tag is whole, 20 of reasoning, and "ok": most of blocks 7 to 11.
  REQUIRE(told.size() == 5);
  for (const auto& each : told) CHECK(each.role == core::block_role::reasoning);
  CHECK(stage.request<session_info>(stage.session, session_find{}).get().role_tokens == std::vector<std::uint32_t>{0, 6, 0, 15, 0, 0, 0});
}

TEST_CASE("when nobody can say what the template keeps, the reasoning of a loop that is over is given up from its first block") {
  reasoning_session stage;
  stage.request<request_id>(stage.session, stage.chat(1, "hi"), stage.to);
  stage.say(stage.worker, stage.started(1, 21, 0));
  *stage.renderer_silent = true;
  stage.say(stage.worker, stage.tokens(1, 0, "<think>hmm hmm hmm</think>ok"));
  stage.say(stage.worker, stage.ended(1, finish_reason::stop));
  CHECK(stage.worker.script->forgotten.empty());
  stage.advance(limits::render_request_wait + 1s, 1s);
  REQUIRE(stage.worker.script->forgotten.size() == 1);
  const auto& left = stage.worker.script->forgotten[0];
  CHECK(left.cause == core::eviction_cause::superseded);
  REQUIRE(left.blocks.size() == 12 - 6);  // of 49 tokens, without the six whole blocks before token 27
  CHECK(left.blocks[1] == stage.worker.script->outcomes[0].roles[0].block);
  CHECK(stage.worker.script->admitted.size() == 1);
}

TEST_CASE("reasoning that nobody has parsed is known by its tag") {
  session_stage stage;
  auto worker = stage.add_worker(1);
  auto unparsed = std::make_shared<actors::served_model>(*session_stage::byte_model());
  unparsed->parse_reasoning = false;
  auto setup = stage.setup();
  setup.models = std::make_shared<actors::model_registry>(std::vector<std::shared_ptr<const actors::served_model>>{unparsed});
  const auto session = stage.start(setup);
  const auto [to, heard] = stage.sink();
  stage.request<request_id>(session, stage.chat(1, "hi"), to);
  stage.say(worker, stage.started(1, 21, 0));
  stage.say(worker, stage.tokens(1, 0, "<think>hmm hmm hmm</think>ok"));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  CHECK(heard->back() == "finished stop");
  REQUIRE(worker.script->admitted.size() == 2);
  CHECK(worker.script->admitted[1].is_ahead);
  REQUIRE(worker.script->forgotten.size() == 1);
  CHECK(worker.script->forgotten[0].blocks.size() == 12 - 5);
}
