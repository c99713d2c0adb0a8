#include "gateway/actor_calls.hpp"

#include <caf/all.hpp>

#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

/// Not on a strand: the server may have stopped by the time the node answers.
void end_one(caf::event_based_actor* self, const gateway_node_actor& node, const session_id& id) {
  const std::chrono::milliseconds wait{limits::control_wait};
  self->request(node, wait, directory_request{})
      .then(
          [id](const session_directory_actor& directory) {
            if (directory) caf::anon_send(directory, session_verb{id, {}, verb_kind::die, 0, {}});
          },
          [](const caf::error&) { /* the node is going, and its sessions with it */ });
}

class node_link final : public actor_link {
 public:
  explicit node_link(std::shared_ptr<shared_link> shared) : shared_(std::move(shared)) {}

  std::unique_ptr<actor_call> turn(session_spawn spawn, turn_request turn, turn_events events) override {
    return start_turn_call(shared_, std::move(spawn), std::move(turn), std::move(events));
  }

  std::unique_ptr<actor_call> control(control_request request, std::chrono::milliseconds timeout, control_answers answers) override {
    return start_control_call(shared_, std::move(request), timeout, std::move(answers));
  }

  void end_session(const session_id& id) override { shared_->system.spawn(end_one, shared_->node, id); }

 private:
  std::shared_ptr<shared_link> shared_;
};

}  // namespace

actor_link_factory make_actor_links(caf::actor_system& system, gateway_node_actor node) {
  return [&system, node](const strand& where, const io_context_ptr& io) -> std::unique_ptr<actor_link> {
    return std::make_unique<node_link>(std::make_shared<shared_link>(shared_link{system, node, {}, where, io}));
  };
}

}  // namespace troupe::gateway
