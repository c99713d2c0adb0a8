#include "gateway/actor_calls.hpp"

#include <caf/send.hpp>

#include <utility>
#include <vector>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

// A turn displaces one conversation, more only where turns ran beside each other.
constexpr std::size_t deaths_max = 16;

class node_link final : public actor_link {
 public:
  explicit node_link(std::shared_ptr<shared_link> shared) : shared_(std::move(shared)) {}

  std::unique_ptr<actor_call> turn(session_spawn spawn, turn_request turn, turn_events events) override {
    return start_turn_call(shared_, std::move(spawn), std::move(turn), std::move(events));
  }

  std::unique_ptr<actor_call> control(control_request request, std::chrono::milliseconds timeout, control_answers answers) override {
    return start_control_call(shared_, std::move(request), timeout, std::move(answers));
  }

  void end_session(const session_id& id) override {
    session_verb death{id, {}, verb_kind::die, 0, {}};
    if (shared_->directory) return caf::anon_send(shared_->directory, std::move(death));
    // Nobody waits for the answer, but this must live until the directory is found. Sessions that are not told end by their idle ttl.
    if (deaths_.size() == deaths_max) deaths_.erase(deaths_.begin());
    deaths_.push_back(start_control_call(shared_, std::move(death), limits::control_wait, [](const control_answer&) {}));
  }

 private:
  std::shared_ptr<shared_link> shared_;
  std::vector<std::unique_ptr<actor_call>> deaths_;  // told before this link knew the directory
};

}  // namespace

actor_link_factory make_actor_links(caf::actor_system& system, gateway_node_actor node) {
  return [&system, node](const strand& where, const io_context_ptr& io) -> std::unique_ptr<actor_link> {
    return std::make_unique<node_link>(std::make_shared<shared_link>(shared_link{system, node, {}, where, io}));
  };
}

}  // namespace troupe::gateway
