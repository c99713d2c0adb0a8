// The turn as a plain object, where the actor's tests do not reach: usage, seeds, boundaries of messages.
#include "actors/turn.hpp"

#include <doctest/doctest.h>

#include "actors/session_prompts.hpp"
#include "actors/turn_sampling.hpp"
#include "engine/text/tool_formats.hpp"
#include "messages/base/limits.hpp"
#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using actors::turn;

namespace {

turn make(turn_request request, const std::string& prompt = "pppp",
          const std::shared_ptr<const actors::served_model>& model = session_stage::byte_model()) {
  const auto hasher = actors::hasher_of(*model, "default", "");
  actors::turn_setup setup{std::move(request), model, owner_id{1}, hasher, {}, 1s, 61s};
  turn made{std::move(setup)};
  text::encoded_prompt encoded;
  encoded.tokens = model->tokens->encode(prompt, {});
  hasher.extend(encoded.chain, encoded.tokens);
  CHECK_FALSE(made.take_prompt(std::move(encoded), false));
  made.route(1s, {});
  made.take_worker({1});
  made.admit(1s);
  return made;
}

std::string told(const actors::turn_output& output) {
  std::string text;
  for (const auto& delta : output.deltas) text += delta.text;
  return text;
}

}  // namespace

TEST_CASE("the answer is the same however its tokens are batched") {
  const std::string answer = "gr\xC3\xBC\xC3\x9F dich STO nicht STOP mehr";
  auto request = session_stage::text(1, "");
  request.stop = {"STOP"};
  for (std::uint32_t size = 1; size <= answer.size(); ++size) {
    auto made = make(request);
    std::string text;
    std::optional<turn_finished> finished;
    for (std::uint32_t at = 0; at < answer.size() && !finished; at += size) {
      auto output = made.advance(session_stage::tokens(1, at, answer.substr(at, size)), 2s);
      text += told(output);
      finished = output.finished;
    }
    CHECK(text == "gr\xC3\xBC\xC3\x9F dich STO nicht ");
    REQUIRE(finished);
    CHECK(finished->stop_string == "STOP");
    CHECK(finished->usage.output_tokens == 26);
  }
}

TEST_CASE("every piece of an answer says how much was generated when it was told") {
  auto made = make(session_stage::text(1, ""));
  auto output = made.advance(session_stage::tokens(1, 0, "abc"), 2s);
  REQUIRE(output.deltas.size() == 1);
  CHECK(output.deltas[0].output_tokens == 3);
  output = made.advance(session_stage::tokens(1, 3, "\xC3"), 2s);
  CHECK(output.deltas.empty());  // half a letter
  output = made.advance(session_stage::tokens(1, 4, "\xBC"), 2s);
  REQUIRE(output.deltas.size() == 1);
  CHECK(output.deltas[0].output_tokens == 5);
}

TEST_CASE("times are counted from receipt: queue, first token, total") {
  auto made = make(session_stage::text(1, ""));
  made.advance(session_stage::started(1, 4, 4), 3s);
  made.advance(session_stage::tokens(1, 0, "a"), 4s);
  auto output = made.advance(session_stage::ended(1, core::finish_reason::length), 6s);
  REQUIRE(output.finished);
  CHECK(output.finished->usage == turn_usage{4, 4, 1, 0, 2.0, 3.0, 5.0});
  CHECK(made.record().how == "length");
}

TEST_CASE("tokens that skip an index fail the turn and cancel the sequence") {
  auto made = make(session_stage::text(1, ""));
  auto output = made.advance(session_stage::tokens(1, 1, "b"), 2s);
  REQUIRE(output.finished);
  CHECK(output.finished->error.code == errc::internal);
  CHECK(output.cancel_sequence);
}

TEST_CASE("the token that ends an answer is counted and is no part of its text") {
  auto made = make(session_stage::text(1, ""));
  auto output = made.advance(session_stage::tokens(1, 0, "ab"), 2s);
  CHECK(told(output) == "ab");
  output = made.advance(session_stage::ended(1, core::finish_reason::stop), 3s);
  REQUIRE(output.finished);
  CHECK(output.finished->usage.output_tokens == 3);
}

TEST_CASE("ignore_eos asks the worker for the request's own stop tokens only") {
  auto request = session_stage::text(1, "");
  request.stop_tokens = {7};
  auto made = make(request);
  CHECK(made.admit(2s).stop_tokens.size() > 1);
  request.ignore_eos = true;
  auto on = make(request);
  CHECK(on.admit(2s).stop_tokens == std::vector<token_id>{7});
}

TEST_CASE("an unset wish takes the model's default, and the seed follows the request's id") {
  actors::generation_defaults defaults;
  defaults.temperature = 0.5F;
  defaults.top_k = 7;
  sampling_wish wish;
  auto params = actors::resolve_sampling(wish, defaults, {5});
  CHECK(params->temperature == 0.5F);
  CHECK(params->top_k == 7);
  CHECK(params->top_p == 1.0F);
  CHECK(params->seed == actors::resolve_sampling(wish, defaults, {5})->seed);
  CHECK(params->seed != actors::resolve_sampling(wish, defaults, {6})->seed);
  wish.temperature = 0.0F;
  wish.top_k = 0;
  wish.seed = 9;
  wish.has_seed = true;
  params = actors::resolve_sampling(wish, defaults, {5});
  CHECK(params->temperature == 0.0F);
  CHECK(params->top_k == 0);
  CHECK(params->seed == 9);
  wish.temperature = -1.0F;
  CHECK(actors::resolve_sampling(wish, defaults, {5}).error() ==
        failure{errc::invalid_request, "temperature is out of range", "temperature"});
}

TEST_CASE("an answer begins in reasoning when its template opened the tag") {
  CHECK(actors::ends_in_reasoning("<|im_start|>assistant\n<think>\n"));
  CHECK_FALSE(actors::ends_in_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  CHECK_FALSE(actors::ends_in_reasoning("say <think> please"));
  CHECK(actors::ends_in_reasoning("[/INST][THINK]"));
}

TEST_CASE("calls are read in the model's format, with the schemas of the tools that were offered") {
  auto model = std::make_shared<actors::served_model>(*session_stage::byte_model());
  auto request = session_stage::chat(1, "hi");
  request.parse_tools = true;
  request.prompt.tools = {{"f", R"({"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}})"}};
  const auto call_of = [&](const std::string& format, const std::string& answer) {
    model->tool_format = format;
    auto made = make(request, "pppp", model);
    return made.advance(session_stage::tokens(1, 0, answer), 2s);
  };
  const auto coded = call_of("qwen3_coder", "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>");
  CHECK(told(coded) == "{\"a\": \"1\"}");
  REQUIRE(coded.deltas.size() == 2);
  CHECK(coded.deltas[0].tool_name == "f");
  CHECK(coded.deltas[0].tool_id == text::tool_call_id("", actors::number_of({1}, 1)));
  const auto named = call_of("mistral", "[TOOL_CALLS]f[ARGS]{\"a\": 1}");
  CHECK(told(named) == "{\"a\": 1}");
  REQUIRE(named.deltas.size() == 2);
  CHECK(named.deltas[0].tool_id == text::tool_call_id("mistral", actors::number_of({1}, 1)));
  CHECK(named.deltas[0].tool_id.size() == 9);
}

TEST_CASE("the record names the tools that the answer called, so many of them and so much of each name") {
  auto request = session_stage::chat(1, "hi");
  request.parse_tools = true;
  auto made = make(request);
  std::string answer;
  for (std::size_t i = 0; i < limits::trace_tools_max + 8; ++i) {
    const auto name = i == 0 ? std::string(200, 'a') : "tool_" + std::to_string(i);
    answer += "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": {}}\n</tool_call>";
  }
  made.advance(session_stage::tokens(1, 0, answer), 2s);
  made.advance(session_stage::ended(1, core::finish_reason::stop), 3s);
  const auto record = made.record();
  CHECK(record.how == "tool_calls");
  CHECK(made.tool_names().size() == limits::trace_tools_max + 8);
  REQUIRE(record.tools.size() == limits::trace_tools_max);
  CHECK(record.tools[0] == std::string(limits::trace_tool_name_bytes_max, 'a'));
  CHECK(record.tools[1] == "tool_1");
  CHECK(record.tools.back() == "tool_" + std::to_string(limits::trace_tools_max - 1));
}
