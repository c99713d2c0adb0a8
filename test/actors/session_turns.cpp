// What a turn tells whom, in order. "hi" rendered is <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n: 21 byte tokens.
#include <doctest/doctest.h>

#include "messages/base/limits.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using core::finish_reason;

namespace {

constexpr std::uint32_t prompt_tokens = 21;  // 1 + 5 + 2 + 1 + 1 + 1 + 10

struct one_turn : session_stage {
  one_turn() : session(start(setup())) { std::tie(to, heard) = sink(); }
  answer<request_id> ask(const turn_request& request) { return this->request<request_id>(session, request, to); }

  actors::session_local_actor session;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

}  // namespace

TEST_CASE("a chat turn is rendered, routed, admitted and streamed, and everyone hears of its end") {
  one_turn stage;
  auto worker = stage.add_worker(7);
  auto accepted = stage.ask(stage.chat(1, "hi"));
  CHECK(accepted.get() == request_id{1});
  REQUIRE(stage.routes->asked.size() == 1);
  CHECK(stage.routes->asked[0].prompt_tokens == prompt_tokens);
  CHECK(stage.routes->asked[0].chain.size() == prompt_tokens / 4);
  REQUIRE(worker.script->admitted.size() == 1);
  CHECK(worker.script->admitted[0].tokens.size() == prompt_tokens);
  CHECK(worker.script->admitted[0].tokens_max == 100 - prompt_tokens);
  CHECK(worker.script->admitted[0].stop_tokens == std::vector<token_id>{byte_tokenizer::end});
  CHECK(stage.heard->empty());

  stage.say(worker, stage.started(1, prompt_tokens, 4));
  stage.say(worker, stage.tokens(1, 0, "he"));
  stage.say(worker, stage.tokens(1, 2, "llo"));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  CHECK(*stage.heard == lines{"started 21/4", "0 text he", "1 text llo", "finished stop"});
  CHECK(stage.routes->ended == std::vector<std::uint64_t>{1});
  CHECK(worker.script->heard.empty());
  CHECK(*stage.traced == lines{"turn stop 6"});
  CHECK(*stage.reported == lines{"generating", "idle"});
  auto info = stage.request<session_info>(stage.session, session_find{});
  CHECK(info.get().turns == 1);
  CHECK(info.get().cached_tokens == 4);
  CHECK(info.get().context_tokens == prompt_tokens + 6);
}

TEST_CASE("worker and router are told how long the answer will be: by the harness, else by the answers before, never more than allowed") {
  one_turn stage;
  auto worker = stage.add_worker(7);
  stage.ask(stage.text(1, "first"));
  CHECK(worker.script->admitted[0].output_tokens == 0);
  CHECK(stage.routes->asked[0].output_tokens == 0);
  stage.say(worker, stage.started(1, 5, 0));
  stage.say(worker, stage.tokens(1, 0, "hello"));
  stage.say(worker, stage.ended(1, finish_reason::stop));  // six with its end
  stage.ask(stage.text(2, "second"));
  CHECK(worker.script->admitted[1].output_tokens == 6);
  CHECK(stage.routes->asked[1].output_tokens == 6);
  auto hinted = stage.text(3, "beside");
  hinted.hints.output_tokens = 40;
  stage.ask(hinted);
  CHECK(worker.script->admitted[2].output_tokens == 40);
  auto bounded = stage.text(4, "beside");
  bounded.hints.output_tokens = 40;
  bounded.tokens_max = 9;
  stage.ask(bounded);
  CHECK(worker.script->admitted[3].output_tokens == 9);
  CHECK(stage.routes->asked[3].output_tokens == 9);
}

TEST_CASE("a worker is told which turns are of one session, and whether somebody waits for it") {
  session_stage stage;
  auto worker = stage.add_worker(7);
  auto lead = stage.start(stage.setup("lead"));
  auto child_setup = stage.setup("child");
  child_setup.info.parent = {"lead"};
  auto child = stage.start(child_setup);
  auto [to, heard] = stage.sink();
  stage.request<request_id>(lead, stage.text(1, "first"), to);
  stage.request<request_id>(lead, stage.text(2, "second"), to);
  stage.request<request_id>(child, stage.text(3, "third"), to);
  const auto& admitted = worker.script->admitted;
  REQUIRE(admitted.size() == 3);
  CHECK(admitted[0].session == admitted[1].session);
  CHECK(admitted[0].session != admitted[2].session);
  CHECK(admitted[0].session != admitted[0].owner.value);
  CHECK_FALSE(admitted[0].is_subagent);
  CHECK(admitted[2].is_subagent);
}

TEST_CASE("a turn asked twice under one id runs once") {
  one_turn stage;
  auto worker = stage.add_worker(7);
  stage.ask(stage.text(1, "once"));
  CHECK(stage.ask(stage.text(1, "once")).get() == request_id{1});
  CHECK(worker.script->admitted.size() == 1);
}

TEST_CASE("a worker's death in mid-stream is continued elsewhere with no gap and no repeat") {
  one_turn stage;
  auto first = stage.add_worker(1);
  auto second = stage.add_worker(2);
  auto request = stage.text(1, "count");
  request.tokens_max = 6;
  stage.ask(request);
  stage.say(first, stage.started(1, 5, 0));
  stage.say(first, stage.tokens(1, 0, "ab"));
  stage.end(first.handle, caf::exit_reason::kill);

  REQUIRE(second.script->admitted.size() == 1);
  const auto& again = second.script->admitted[0];
  CHECK(again.continued == 2);
  CHECK(again.tokens == byte_tokenizer{}.encode("countab", {}));
  CHECK(again.tokens_max == 6);
  CHECK(again.chain.size() == 1);
  CHECK(again.sampling.seed == first.script->admitted[0].sampling.seed);
  CHECK(stage.routes->ended == std::vector<std::uint64_t>{1});

  stage.say(second, stage.started(1, 7, 4));
  stage.say(second, stage.tokens(1, 1, "bcd"));  // "b" comes twice
  stage.say(second, stage.tokens(1, 4, "ef"));
  stage.say(second, stage.ended(1, finish_reason::length));
  CHECK(*stage.heard == lines{"started 5/0", "0 text ab", "1 text cd", "2 text ef", "finished length"});
  CHECK(*stage.traced == lines{"turn length 6"});
}

TEST_CASE("what a worker says of a turn that has left it is not heard") {
  one_turn stage;
  auto first = stage.add_worker(1);
  auto second = stage.add_worker(2);
  first.script->silent = true;
  stage.ask(stage.text(1, "slow"));
  stage.advance(limits::admit_wait + 10ms, 1s);
  REQUIRE(second.script->admitted.size() == 1);
  CHECK(first.script->heard == lines{"cancel 1"});
  stage.say(first, stage.tokens(1, 0, "wrong"));
  stage.say(second, stage.started(1, 4, 0));
  stage.say(second, stage.tokens(1, 0, "right"));
  CHECK(*stage.heard == lines{"started 4/0", "0 text right"});
}

TEST_CASE("a turn is given up when every worker it is sent to has died") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.end(worker.handle, caf::exit_reason::kill);
  stage.ask(stage.text(1, "nobody"));
  CHECK(stage.routes->asked.size() == 2);  // the first retry goes at once
  stage.advance(10s, 10ms);
  CHECK(stage.routes->asked.size() == 1 + limits::worker_retries_per_turn);
  CHECK(*stage.heard == lines{"finished failed worker_lost"});
}

TEST_CASE("a worker that died after the last token leaves a complete answer") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto request = stage.text(1, "x");
  request.tokens_max = 2;
  stage.ask(request);
  stage.say(worker, stage.started(1, 1, 0));
  stage.say(worker, stage.tokens(1, 0, "ok"));
  stage.end(worker.handle, caf::exit_reason::kill);
  CHECK(*stage.heard == lines{"started 1/0", "0 text ok", "finished length"});
}

TEST_CASE("a stop string ends the answer here and cancels the sequence there") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto request = stage.text(1, "x");
  request.stop = {"END"};
  stage.ask(request);
  stage.say(worker, stage.started(1, 1, 0));
  stage.say(worker, stage.tokens(1, 0, "fine"));
  stage.say(worker, stage.tokens(1, 4, "E"));
  stage.say(worker, stage.tokens(1, 5, "NDmore"));
  CHECK(*stage.heard == lines{"started 1/0", "0 text fine", "finished stop at END"});
  CHECK(worker.script->heard == lines{"cancel 1"});
  stage.say(worker, stage.tokens(1, 11, "late"));
  CHECK(stage.heard->size() == 3);
}

TEST_CASE("the end of a sequence that its worker announces cancels nothing") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.text(1, "x"));
  auto all = stage.tokens(1, 0, "ok<|im_end|>");
  all.started = all.ended = true;
  all.prompt_tokens = 1;
  stage.say(worker, all);
  CHECK(*stage.heard == lines{"started 1/0", "0 text ok", "finished stop"});
  CHECK(worker.script->heard.empty());
}

TEST_CASE("a sink that dies cancels its turn everywhere") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.text(1, "x"));
  stage.say(worker, stage.started(1, 1, 0));
  stage.end(stage.to);
  CHECK(worker.script->heard == lines{"cancel 1"});
  CHECK(stage.routes->ended == std::vector<std::uint64_t>{1});
  CHECK(*stage.traced == lines{"turn cancelled 0"});
  CHECK(stage.reported->back() == "idle");
}

TEST_CASE("a cancelled turn tells its sink, its worker and its router") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.text(1, "x"));
  stage.tell(stage.session, turn_cancel{{1}, errc::cancelled});
  CHECK(*stage.heard == lines{"finished failed cancelled"});
  CHECK(worker.script->heard == lines{"cancel 1"});
  CHECK(stage.routes->ended == std::vector<std::uint64_t>{1});
}

TEST_CASE("a deadline ends a turn wherever it is, to the millisecond") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto request = stage.text(1, "x");
  request.timeout_ms = 250;
  stage.ask(request);
  stage.say(worker, stage.started(1, 1, 0));
  stage.advance(249ms, 1ms);
  CHECK(stage.heard->size() == 1);
  stage.advance(1ms, 1ms);
  CHECK(*stage.heard == lines{"started 1/0", "finished failed deadline_exceeded"});
  CHECK(worker.script->heard == lines{"cancel 1"});

  stage.routes->silent = true;
  request.id = {2};
  stage.ask(request);
  stage.advance(250ms, 1ms);
  CHECK(stage.heard->back() == "finished failed deadline_exceeded");
  CHECK(stage.routes->ended == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("prompts that cannot fit are refused with both numbers") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto too_long = stage.ask(stage.text(1, std::string(101, 'x')));
  CHECK(too_long.error() == failure{errc::context_length_exceeded, "prompt is too long: 101 tokens > 100 maximum", {}});
  auto request = stage.text(2, std::string(60, 'x'));
  request.tokens_max = 41;
  CHECK(stage.ask(request).error().message ==
        "This model's maximum context length is 100 tokens: input length and `max_tokens` exceed context limit: 60 + 41 > 100");
  request.tokens_max = 40;
  request.id = {3};
  CHECK(stage.ask(request).get() == request_id{3});
  request.tokens_max = 41;
  request.clip_tokens_max = true;
  request.id = {5};
  CHECK(stage.ask(request).get() == request_id{5});
  CHECK(worker.script->admitted.back().tokens_max == 40);
  // A chat is only measured once it is rendered: its failure goes to the sink.
  stage.ask(stage.chat(4, std::string(100, 'x')));
  CHECK(*stage.heard == lines{"finished failed context_length_exceeded"});
}

TEST_CASE("what the template raises fails the turn") {
  one_turn stage;
  stage.ask(stage.chat(1, "raise"));
  CHECK(*stage.heard == lines{"finished failed template_failed"});
  CHECK(stage.routes->ended.empty());
}

TEST_CASE("unknown models, foreign tokens and values out of range are refused at once") {
  one_turn stage;
  auto request = stage.text(1, "x");
  request.model = {"other"};
  CHECK(stage.ask(request).code() == errc::model_not_found);
  request.model = {"claude-anything"};
  request.sampling.top_p = 1.5F;
  CHECK(stage.ask(request).error().param == "top_p");
  request.sampling.top_p = 1.0F;
  request.prompt.what = turn_prompt::kind::tokens;
  request.prompt.tokens = {1, 258};
  CHECK(stage.ask(request).code() == errc::invalid_request);
  CHECK(stage.reported->empty());
}

TEST_CASE("a second turn runs beside the first and changes no state, and a ninth is refused") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  for (std::uint64_t id = 1; id <= limits::turns_per_session_max; ++id) CHECK(stage.ask(stage.text(id, "x")).ready());
  CHECK(stage.ask(stage.text(9, "x")).code() == errc::queue_full);
  stage.say(worker, stage.started(2, 1, 0));
  stage.say(worker, stage.ended(2, finish_reason::stop));
  CHECK(*stage.heard == lines{"started 1/0", "finished stop"});
  CHECK(stage.reported->back() == "generating");
  stage.say(worker, stage.ended(1, finish_reason::stop));
  CHECK(stage.reported->back() == "idle");
}

TEST_CASE("an answer with tool calls pauses the session until its next turn") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto request = stage.chat(1, "hi");
  request.parse_tools = true;
  request.tokens_max = 79;
  stage.ask(request);
  stage.say(worker, stage.started(1, prompt_tokens, 0));
  stage.say(worker, stage.tokens(1, 0, "<tool_call>\n{\"name\": \"ls\", \"arguments\": {}}\n</tool_call>"));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  CHECK(stage.heard->back() == "finished tool_calls");
  CHECK(stage.reported->back() == "tool_paused");
  auto info = stage.request<session_info>(stage.session, session_find{});
  CHECK(info.get().paused_on == lines{"ls"});
  CHECK(stage.traced->back() == "tool_pause accepted 0");
  stage.ask(stage.chat(2, "hi"));
  CHECK(stage.traced->back() == "resume accepted 0");
  CHECK(stage.reported->back() == "generating");
}

TEST_CASE("a title that is heard before the agent's first turn goes on beside it, and the turn with tools is the session's") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.chat(1, "title"));
  auto request = stage.chat(2, "hi");
  request.prompt.tools.push_back({"ls", R"({"type":"function","function":{"name":"ls"}})"});
  request.parse_tools = true;
  request.tokens_max = 79;
  stage.ask(request);
  REQUIRE(worker.script->admitted.size() == 2);
  stage.say(worker, stage.started(1, prompt_tokens, 0));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  CHECK(stage.reported->back() == "generating");
  stage.say(worker, stage.started(2, prompt_tokens, 0));
  stage.say(worker, stage.tokens(2, 0, "<tool_call>\n{\"name\": \"ls\", \"arguments\": {}}\n</tool_call>"));
  stage.say(worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.reported->back() == "tool_paused");
  CHECK(stage.request<session_info>(stage.session, session_find{}).get().paused_on == lines{"ls"});
}

TEST_CASE("a turn that is refused displaces nothing: the one that runs stays the session's") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.chat(1, "hi"));
  auto wrong = stage.chat(2, "hi");
  wrong.prompt.tools.push_back({"ls", R"({"type":"function","function":{"name":"ls"}})"});
  wrong.sampling.top_p = 1.5F;
  CHECK(stage.ask(wrong).error().param == "top_p");
  CHECK(stage.request<session_info>(stage.session, session_find{}).get().state == session_state::generating);
  stage.say(worker, stage.started(1, prompt_tokens, 0));
  stage.say(worker, stage.tokens(1, 0, "hello"));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  const auto info = stage.request<session_info>(stage.session, session_find{}).get();
  CHECK(info.state == session_state::idle);
  CHECK(info.context_tokens == prompt_tokens + 6);
}

TEST_CASE("once an agent has had a turn, a turn with tools does not displace the one that runs") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.chat(1, "first"));
  stage.say(worker, stage.started(1, prompt_tokens, 0));
  stage.say(worker, stage.ended(1, finish_reason::stop));
  stage.ask(stage.chat(2, "second"));
  auto beside = stage.chat(3, "beside");
  beside.prompt.tools.push_back({"ls", R"({"type":"function","function":{"name":"ls"}})"});
  stage.ask(beside);
  stage.say(worker, stage.ended(3, finish_reason::stop));
  CHECK(stage.reported->back() == "generating");
  stage.say(worker, stage.ended(2, finish_reason::stop));
  CHECK(stage.reported->back() == "idle");
}

TEST_CASE("a router that dies under a turn is asked again when its successor is known") {
  one_turn stage;
  stage.routes->silent = true;
  stage.ask(stage.text(1, "x"));
  auto next = std::make_shared<router_script>();
  auto worker = stage.add_worker(1);
  next->grants = stage.routes->grants;
  auto services = stage.services;
  services.router = caf::actor_cast<router_shard_actor>(stage.spawn(fake_router, next));
  stage.tell(stage.session, services);
  CHECK(next->asked.size() == 1);
  CHECK(worker.script->admitted.size() == 1);
}

TEST_CASE("a peer that answers a message with an error ends neither turn nor session") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  stage.ask(stage.text(1, "x"));
  auto [deaf, nothing] = stage.probe<turn_sink_actor, turn_finished>();
  stage.request<request_id>(stage.session, stage.text(2, "x"), deaf);
  stage.say(worker, stage.started(2, 1, 0));  // this sink has no handler for it, and says so
  stage.say(worker, stage.started(1, 1, 0));
  CHECK(*stage.heard == lines{"started 1/0"});
  CHECK(nothing->empty());
}

TEST_CASE("logprobs travel with the text they belong to") {
  one_turn stage;
  auto worker = stage.add_worker(1);
  auto request = stage.text(1, "x");
  request.sampling.logprobs = 1;
  auto [to, deltas] = stage.probe<turn_sink_actor, turn_delta>();
  stage.request<request_id>(stage.session, request, to);
  auto progress = stage.tokens(1, 0, "a\xC3\xA9");
  for (auto& token : progress.tokens) token.top = {{'z', -1.0F}};
  stage.say(worker, progress);
  REQUIRE(deltas->size() == 2);
  CHECK((*deltas)[0].token_texts == lines{"a", "z"});
  CHECK((*deltas)[1].text == "\xC3\xA9");
  CHECK((*deltas)[1].tokens.size() == 2);
  CHECK((*deltas)[1].token_texts == lines{"\xC3", "\xA9", "z", "z"});
}
