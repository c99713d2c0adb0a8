// One question to the directory or the node, and its answer.
#include "gateway/link_actor.hpp"

namespace troupe::gateway {
namespace {

class control_call final : public link_actor {
 public:
  control_call(caf::actor_config& config, std::shared_ptr<shared_link> link, control_request asked, std::chrono::milliseconds timeout,
               control_answers answers)
      : link_actor(config, std::move(link), timeout), asked_(std::move(asked)), answers_(std::move(answers)) {}

 protected:
  caf::behavior make_behavior() override {
    ask();
    return {[this](const turn_cancel&) {
      answers_ = nullptr;
      quit();
    }};
  }

  void fail(failure error) override { answer(std::move(error)); }

 private:
  void ask() {
    std::visit([this](const auto& question) { ask(question); }, asked_);
  }
  void ask(const node_status_request& question) { ask_node<node_status>(question); }
  void ask(const metrics_request& question) { ask_node<metrics_text>(question); }
  void ask(const render_request& question) { ask_node<render_result>(question); }
  void ask(const session_find& question) { ask_directory<session_info>(question); }
  void ask(const session_list& question) { ask_directory<session_listing>(question); }
  void ask(const session_verb& question) { ask_directory<verb_answer>(question); }

  void ask(const session_spawn& question) {
    with_directory([this, question](const session_directory_actor& directory) {
      request(directory, remaining(), question)
          .then([this](session_info& info, const session_actor&) { answer(std::move(info)); },
                [this](caf::error& error) { retry_or_fail(error, [this] { ask(); }); });
    });
  }

  template <class Answer, class Question>
  void ask_directory(const Question& question) {
    with_directory([this, question](const session_directory_actor& directory) {
      request(directory, remaining(), question)
          .then([this](Answer& result) { answer(std::move(result)); },
                [this](caf::error& error) { retry_or_fail(error, [this] { ask(); }); });
    });
  }

  template <class Answer, class Question>
  void ask_node(const Question& question) {
    request(link().node, remaining(), question)
        .then([this](Answer& result) { answer(std::move(result)); }, [this](caf::error& error) { fail(to_failure(error)); });
  }

  void answer(control_answer result) {
    if (!answers_) return;
    // As with a turn: what throws in here is told by the exception handler, unless it was a failure already.
    const auto answers = answers_;
    if (std::holds_alternative<failure>(result)) answers_ = nullptr;
    answers(std::move(result));
    answers_ = nullptr;
    quit();
  }

  control_request asked_;
  control_answers answers_;  // empty after the end
};

}  // namespace

std::unique_ptr<actor_call> start_control_call(std::shared_ptr<shared_link> link, control_request request,
                                               std::chrono::milliseconds timeout, control_answers answers) {
  auto& system = link->system;
  return std::make_unique<actor_handle>(system.spawn<control_call>(std::move(link), std::move(request), timeout, std::move(answers)),
                                        request_id{});
}

}  // namespace troupe::gateway
