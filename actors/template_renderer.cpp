#include "actors/template_renderer.hpp"

#include <caf/all.hpp>

#include "actors/actor_defaults.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using gate_pointer = template_renderer_inside::stateful_pointer<template_renderer_state>;
using thread_pointer = render_thread_actor::stateful_pointer<render_thread_state>;

expected<std::string> render(thread_pointer self, const render_factory& make, const render_job& job) {
  if (now_of(self) > job.deadline) return failure{errc::deadline_exceeded, "waited too long for the template renderer", {}};
  auto& render = self->state.render;
  if (!render) {
    auto made = make();
    if (!made) return made.error();
    render = *std::move(made);
  }
  return (*render)(job.request.model.value, job.request.input);
}

render_thread_actor::behavior_type render_thread(thread_pointer self, const render_factory& make, template_renderer_inside gate) {
  set_defaults(self, "render_thread");
  return {[self, make, gate](const render_job& job) { self->send(gate, render_done{job.ticket, render(self, make, job)}); }};
}

render_thread_actor spawn_thread(gate_pointer self, const template_renderer_setup& setup) {
  const auto gate = template_renderer_inside{self};
  if (setup.where == template_renderer_setup::thread::shared) return self->spawn<caf::linked>(render_thread, setup.make, gate);
  return self->spawn<caf::linked + caf::detached>(render_thread, setup.make, gate);
}

caf::result<render_result> queue(gate_pointer self, const template_renderer_setup& setup, render_request& request) {
  auto& state = self->state;
  if (state.promises.size() >= setup.waiting_max) return make_error(errc::queue_full, "too many templates wait to be rendered");
  const auto ticket = state.tickets++;
  auto promise = state.promises.add(ticket, self->make_response_promise<render_result>());
  self->send(state.thread, render_job{ticket, std::move(request), now_of(self) + setup.queue_wait});
  return promise;
}

}  // namespace

// Linked both ways: a thread that dies ends the gate, whose promises are then answered; its supervisor spawns both anew.
template_renderer_inside::behavior_type template_renderer(gate_pointer self, template_renderer_setup setup) {
  set_defaults(self, "template_renderer");
  self->state.thread = spawn_thread(self, setup);
  return {
      [self, setup](render_request& request) { return queue(self, setup, request); },
      [self](render_done& done) {
        if (done.result) {
          self->state.promises.answer(done.ticket, render_result{*std::move(done.result)});
        } else {
          self->state.promises.refuse(done.ticket, make_error(done.result.error()));
        }
      },
  };
}

}  // namespace troupe::actors
