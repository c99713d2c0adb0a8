#include "test/support/session_stage.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "actors/actor_defaults.hpp"

namespace troupe::test {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string line_of(const turn_delta& delta) {
  constexpr const char* kinds[] = {"text", "reasoning", "tool_begin", "tool_arguments"};
  const auto& text = delta.what == turn_delta::kind::tool_begin ? delta.tool_name : delta.text;
  return number(delta.sequence) + " " + kinds[static_cast<std::size_t>(delta.what)] + " " + text;
}

std::string line_of(const turn_finished& finished) {
  constexpr const char* ends[] = {"stop", "length", "tool_calls", "failed"};
  std::string line = std::string{"finished "} + ends[static_cast<std::size_t>(finished.how)];
  if (finished.how == turn_end::failed) line += " " + std::string{describe(finished.error.code).name};
  if (!finished.stop_string.empty()) line += " at " + finished.stop_string;
  return line;
}

caf::behavior fake_sink(caf::event_based_actor*, const std::shared_ptr<lines>& heard) {
  return {
      [=](const turn_started& event) { heard->push_back("started " + number(event.prompt_tokens) + "/" + number(event.cached_tokens)); },
      [=](const turn_delta& event) { heard->push_back(line_of(event)); },
      [=](const turn_finished& event) { heard->push_back(line_of(event)); },
  };
}

caf::behavior fake_trace(caf::event_based_actor*, const std::shared_ptr<lines>& heard, const std::shared_ptr<std::vector<pause_record>>& pauses) {
  return {
      [=](const turn_record& record) { heard->push_back("turn " + record.how + " " + number(record.output_tokens)); },
      [=](const pause_record& record) { pauses->push_back(record); },
      [=](const lifecycle_record& record) { heard->push_back(record.verb + " " + record.outcome + " " + number(record.blocks_freed)); },
  };
}

caf::behavior fake_home(caf::event_based_actor*, const std::shared_ptr<lines>& heard, const std::shared_ptr<std::vector<intent_record>>& kept) {
  return {
      [=](const intent_record& intent) { kept->push_back(intent); },
      [=](const session_gone& gone) { heard->push_back("gone " + gone.id.value); },
      [=](const actors::session_activity& activity) { heard->push_back(std::string{to_string(activity.info.state)}); },
  };
}

}  // namespace

caf::behavior fake_router(caf::event_based_actor* self, std::shared_ptr<router_script> script) {
  return {
      [=](const route_request& request) -> caf::result<route_grant, worker_actor> {
        script->asked.push_back(request);
        if (script->silent || script->grants.empty()) return self->make_response_promise<route_grant, worker_actor>();
        const auto [id, handle] = script->grants.front();
        if (script->grants.size() > 1) script->grants.pop_front();
        return {route_grant{request.id, id, 0, false}, handle};
      },
      [=](const route_end& end) { script->ended.push_back(end.id.value); },
  };
}

caf::behavior fake_worker(caf::event_based_actor* self, std::shared_ptr<worker_script> script) {
  return {
      [=](const admit_request& request, const sequence_sink_actor& sink) -> caf::result<request_id> {
        script->admitted.push_back(request);
        script->sinks[request.id.value] = sink;
        if (script->silent) return self->make_response_promise<request_id>();
        return request.id;
      },
      [=](const sequence_cancel& cancel) { script->heard.push_back("cancel " + number(cancel.id.value)); },
      [=](const owner_release& release) -> caf::result<owner_released> {
        script->heard.push_back("release " + number(release.owner.value));
        script->released.push_back(release);
        if (script->silent) return self->make_response_promise<owner_released>();
        return owner_released{script->blocks_freed};
      },
      [=](const turn_outcome& outcome) -> caf::result<pause_forecast> {
        script->outcomes.push_back(outcome);
        if (script->silent) return self->make_response_promise<pause_forecast>();
        return script->forecast;
      },
      [=](const owner_intent& intent) {
        script->intents.push_back(intent);
        return script->applied;
      },
      [=](const owner_forget& forgotten) { script->forgotten.push_back(forgotten); },
      [=](const owner_demote& demote) {
        script->heard.push_back("demote " + number(demote.owner.value));
        return owner_demoted{script->blocks_freed};
      },
      [=](const prefetch_request& request) -> caf::result<prefetch_done> {
        script->heard.push_back("prefetch " + std::to_string(request.tokens.size()));
        if (script->silent_prefetch) return self->make_response_promise<prefetch_done>();
        return prefetch_done{request.id, script->blocks_freed, static_cast<std::uint32_t>(request.chain.size())};
      },
      [=](const play& act) { self->send(script->sinks.at(act.progress.id.value), act.progress); },
  };
}

caf::behavior fake_renderer(caf::event_based_actor* self, std::shared_ptr<bool> silent) {
  return {[=](const render_request& request) -> caf::result<render_result> {
    if (*silent) return self->make_response_promise<render_result>();
    std::string text;
    const auto input = nlohmann::json::parse(request.input);
    for (const auto& message : input["messages"]) {
      if (message["content"] == "raise") return make_error(errc::template_failed, "raised");
      auto content = message["content"].get<std::string>();
      if (const auto tag = content.find("</think>"); tag != std::string::npos) content.erase(0, tag + 8);  // as reasoning families do
      text += "<|im_start|>" + message["role"].get<std::string>() + "\n" + content + "<|im_end|>\n";
    }
    return render_result{text + "<|im_start|>assistant\n"};
  }};
}

session_stage::session_stage() : unexpected_before_(actors::unexpected_messages()) {
  models = std::make_shared<actors::model_registry>(std::vector{byte_model()});
  services.router = caf::actor_cast<router_shard_actor>(spawn(fake_router, routes));
  services.renderer = caf::actor_cast<template_renderer_actor>(spawn(fake_renderer, renderer_silent));
  services.trace = caf::actor_cast<trace_actor>(spawn(fake_trace, traced, pauses));
  home = caf::actor_cast<actors::session_home_actor>(spawn(fake_home, reported, kept));
}

session_stage::~session_stage() {
  run();
  CHECK(actors::unexpected_messages() == unexpected_before_);  // whoever is told something understands it
}

std::shared_ptr<const actors::served_model> session_stage::byte_model(std::string name) {
  auto model = std::make_shared<actors::served_model>();
  model->id = {std::move(name)};
  model->aliases = {"claude-*"};
  model->tokens = byte_tokenizer::make();
  model->chat_template = "scripted";
  model->context_tokens_max = 100;
  model->defaults.eos = {byte_tokenizer::end};
  model->block_tokens = 4;
  model->tool_format = "hermes";
  model->parse_reasoning = true;
  return model;
}

fake_worker_place session_stage::add_worker(std::uint32_t id) {
  fake_worker_place place;
  place.handle = caf::actor_cast<worker_actor>(spawn(fake_worker, place.script));
  routes->grants.emplace_back(worker_id{id}, place.handle);
  return place;
}

actors::session_setup session_stage::setup(const std::string& id) {
  actors::session_setup setup;
  setup.info.id = {id};
  setup.info.model = {"tiny"};
  setup.home = home;
  setup.services = services;
  setup.models = models;
  return setup;
}

actors::session_local_actor session_stage::start(const actors::session_setup& setup) {
  auto handle = track(actors::spawn_session(system(), setup));
  run();
  return handle;
}

std::pair<turn_sink_actor, std::shared_ptr<lines>> session_stage::sink() {
  auto heard = std::make_shared<lines>();
  return {caf::actor_cast<turn_sink_actor>(spawn(fake_sink, heard)), heard};
}

turn_request session_stage::chat(std::uint64_t id, const std::string& text) {
  turn_request request;
  request.id = {id};
  request.model = {"tiny"};
  chat_message message;
  message.blocks.push_back({chat_block::kind::text, text, {}, {}});
  request.prompt.messages.push_back(std::move(message));
  return request;
}

turn_request session_stage::text(std::uint64_t id, const std::string& text) {
  turn_request request;
  request.id = {id};
  request.model = {"tiny"};
  request.prompt.what = turn_prompt::kind::text;
  request.prompt.text = text;
  return request;
}

sequence_progress session_stage::started(std::uint64_t id, std::uint32_t prompt, std::uint32_t cached) {
  sequence_progress progress;
  progress.id = {id};
  progress.started = true;
  progress.prompt_tokens = prompt;
  progress.cached_tokens = cached;
  return progress;
}

sequence_progress session_stage::tokens(std::uint64_t id, std::uint32_t first, const std::string& text) {
  sequence_progress progress;
  progress.id = {id};
  progress.first_index = first;
  for (const auto token : byte_tokenizer{}.encode(text, {})) progress.tokens.push_back({token, 0, {}});
  return progress;
}

sequence_progress session_stage::ended(std::uint64_t id, core::finish_reason reason) {
  sequence_progress progress;
  progress.id = {id};
  progress.ended = true;
  progress.reason = reason;
  return progress;
}

answer<verb_answer> session_stage::verb(const actors::session_local_actor& whom, const std::string& id, verb_kind what, lines tools) {
  return request<verb_answer>(whom, session_verb{{"agent"}, id, what, 0, std::move(tools)});
}

}  // namespace troupe::test
