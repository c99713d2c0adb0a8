// What turns of one session find in caches, and why not more. The renderer writes tool names into the begin of the prompt, as templates do.
// "hi" and its answer "ok" are 23 tokens: five whole blocks of four.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using core::finish_reason;
using why = cache_miss_reason;

namespace {

caf::behavior tooled_renderer(caf::event_based_actor*) {
  return {[](const render_request& request) {
    const auto input = nlohmann::json::parse(request.input);
    std::string text;
    for (const auto& message : input["messages"]) {
      text += "<|im_start|>" + message["role"].get<std::string>() + "\n" + message["content"].get<std::string>();
      const bool is_first = &message == &input["messages"].front();
      if (is_first && input.contains("tools"))
        for (const auto& tool : input["tools"]) text += "\n" + tool["function"]["name"].get<std::string>();
      text += "<|im_end|>\n";
    }
    return render_result{text + "<|im_start|>assistant\n"};
  }};
}

chat_message message(chat_role role, const std::string& text) {
  chat_message made{role, {}};
  made.blocks.push_back({chat_block::kind::text, text, {}, {}});
  return made;
}

struct conversation : session_stage {
  conversation() {
    auto other = std::make_shared<actors::served_model>(*byte_model("other"));
    other->fingerprint = 7;
    models = std::make_shared<actors::model_registry>(std::vector<std::shared_ptr<const actors::served_model>>{byte_model(), other});
    services.renderer = caf::actor_cast<template_renderer_actor>(spawn(tooled_renderer));
    worker = add_worker(1);
    session = start(setup());
    std::tie(to, heard) = sink();
  }

  /// The question "hi", its answer and so on, as long as the list is.
  static turn_request asking(const std::vector<std::string>& texts, const std::string& system = {}) {
    turn_request request;
    request.model = {"tiny"};
    if (!system.empty()) request.prompt.messages.push_back(message(chat_role::system, system));
    for (std::size_t i = 0; i < texts.size(); ++i)
      request.prompt.messages.push_back(message(i % 2 == 0 ? chat_role::user : chat_role::assistant, texts[i]));
    return request;
  }

  cache_miss turn(turn_request asked, std::uint32_t cached) {
    asked.id = {++turns};
    this->request<request_id>(session, asked, to);
    const auto prompt = static_cast<std::uint32_t>(worker.script->admitted.back().tokens.size());
    say(worker, started(turns, prompt, cached));
    say(worker, tokens(turns, 0, "ok"));
    say(worker, ended(turns, finish_reason::stop));
    return this->request<session_info>(session, session_find{}).get().miss;
  }

  fake_worker_place worker;
  actors::session_local_actor session;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
  std::uint64_t turns = 0;
};

}  // namespace

TEST_CASE("a first turn has nothing behind it, and one that goes on misses nothing") {
  conversation stage;
  CHECK(stage.turn(stage.asking({"hi"}), 0) == cache_miss{why::first_turn, 20});
  CHECK(stage.turn(stage.asking({"hi", "ok", "go"}), 20) == cache_miss{});
}

TEST_CASE("blocks that are gone are evicted, and blocks of another worker are elsewhere") {
  conversation stage;
  stage.turn(stage.asking({"hi"}), 0);
  CHECK(stage.turn(stage.asking({"hi", "ok", "go"}), 8) == cache_miss{why::evicted, 12});
  stage.routes->grants.clear();
  stage.routes->grants.emplace_back(worker_id{2}, stage.worker.handle);
  CHECK(stage.turn(stage.asking({"hi", "ok", "go", "ok", "on"}), 0) == cache_miss{why::worker_changed, 44});
}

TEST_CASE("a rewritten question ends what is shared where it stands") {
  conversation stage;
  stage.turn(stage.asking({"hi", "ok", "go"}), 0);
  CHECK(stage.turn(stage.asking({"hi", "ok", "no", "ok", "on"}), 28) == cache_miss{why::input_changed, 16});
}

TEST_CASE("another system text and other tools are told by their names") {
  conversation stage;
  auto first = stage.asking({"hi"}, "be kind");
  first.prompt.tools = {{"grep", R"({"type":"function","function":{"name":"grep"}})"}};
  stage.turn(first, 0);
  auto other_tool = stage.asking({"hi", "ok", "go"}, "be kind");
  other_tool.prompt.tools = {{"find", R"({"type":"function","function":{"name":"find"}})"}};
  CHECK(stage.turn(other_tool, 16).reason == why::tools_changed);
  auto other_system = stage.asking({"hi", "ok", "go", "ok", "on"}, "be rude");
  other_system.prompt.tools = other_tool.prompt.tools;
  CHECK(stage.turn(other_system, 8).reason == why::system_changed);
}

TEST_CASE("another model and another salt share nothing") {
  conversation stage;
  stage.turn(stage.asking({"hi"}), 0);
  auto salted = stage.asking({"hi", "ok", "go"});
  salted.cache_salt = "mine";
  CHECK(stage.turn(salted, 0) == cache_miss{why::salt_changed, 20});
  auto elsewhere = stage.asking({"hi", "ok", "go", "ok", "on"});
  elsewhere.cache_salt = "mine";
  elsewhere.model = {"other"};
  CHECK(stage.turn(elsewhere, 0).reason == why::model_changed);
}

TEST_CASE("a shorter conversation is a compacted one, announced or not") {
  conversation stage;
  stage.turn(stage.asking({"hi", "ok", "go"}), 0);
  CHECK(stage.turn(stage.asking({"so far"}), 4).reason == why::context_compacted);
  CHECK(stage.verb(stage.session, "c", verb_kind::compact).get().outcome == verb_outcome::deferred);
  CHECK(stage.turn(stage.asking({"in sum", "ok", "go"}), 4).reason == why::context_compacted);
}

TEST_CASE("a side call is compared with nothing and changes nothing of what is remembered") {
  conversation stage;
  stage.turn(stage.asking({"hi"}), 0);
  auto title = stage.asking({"name this"});
  title.hints.is_side = true;
  CHECK(stage.turn(title, 0) == cache_miss{why::first_turn, 20});  // of the main turn before
  CHECK(stage.turn(stage.asking({"hi", "ok", "go"}), 20) == cache_miss{});
}

TEST_CASE("neither a side call nor a turn that failed makes the agent's next turn another than its first") {
  conversation stage;
  auto title = stage.asking({"name this"});
  title.hints.is_side = true;
  stage.turn(title, 0);
  auto cut = stage.asking({"hi"});
  cut.id = {++stage.turns};
  stage.request<request_id>(stage.session, cut, stage.to);
  stage.tell(stage.session, turn_cancel{cut.id, errc::cancelled});
  const auto before = stage.request<session_info>(stage.session, session_find{}).get();
  CHECK(before.turns == 2);
  CHECK(before.context_tokens == 0);
  CHECK(stage.turn(stage.asking({"hi"}), 0) == cache_miss{why::first_turn, 20});
}
