// Renders chat templates. Two actors: the gate, which everyone talks to, and the thread that it spawns. A rendering thread is
// blocked while it renders and its mailbox has no bound, so only an actor in front of it can refuse: the gate counts what is
// unanswered. The engine (an embedded interpreter) is made, used and destroyed on the thread, so the gate never sees it.
#pragma once

#include <caf/stateful_actor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "actors/promise_table.hpp"
#include "messages/base/limits.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// (model name, JSON input) -> text. Bounds its own time and output.
using render_function = std::function<expected<std::string>(const std::string& model, const std::string& input)>;
/// Called on the rendering thread, at the first request; called again at the next request if it fails.
using render_factory = std::function<expected<render_function>()>;

struct template_renderer_setup {
  render_factory make;
  std::size_t waiting_max = limits::renders_waiting_max;                 ///< queue_full beyond, the one being rendered included
  std::chrono::milliseconds queue_wait = limits::render_queue_wait;      ///< older requests are answered unrendered
  enum class thread : std::uint8_t { own, shared } where = thread::own;  ///< shared: on the scheduler, as tests and the simulator do
};

/// One request on its way to the thread, and its answer. They never leave the process.
struct render_job {
  std::uint64_t ticket = 0;
  render_request request;
  std::chrono::nanoseconds deadline{0};
};
struct render_done {
  std::uint64_t ticket = 0;
  expected<std::string> result;
};

using template_renderer_inside = template_renderer_actor::extend<caf::reacts_to<render_done>>;
using render_thread_actor = caf::typed_actor<caf::reacts_to<render_job>>;

struct render_thread_state {
  static inline const char* name = "render_thread";
  std::optional<render_function> render;
};

struct template_renderer_state {
  static inline const char* name = "template_renderer";
  promise_table<std::uint64_t, render_result> promises;
  std::uint64_t tickets = 0;
  render_thread_actor thread;
};

/// Never blocks: spawn it on the scheduler.
template_renderer_inside::behavior_type template_renderer(template_renderer_inside::stateful_pointer<template_renderer_state> self,
                                                          template_renderer_setup setup);

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::render_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::render_done)
