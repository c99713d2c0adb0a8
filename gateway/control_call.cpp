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

  /// All at once; the last that is answered tells.
  void ask(const verb_batch& batch) {
    if (batch.verbs.empty()) return answer(verb_answers{});
    with_directory([this, batch](const session_directory_actor& directory) {
      told_.answers.resize(batch.verbs.size());
      left_ = batch.verbs.size();
      for (std::size_t i = 0; i < batch.verbs.size(); ++i)
        request(directory, remaining(), batch.verbs[i])
            .then([this, i](verb_answer& result) { settle(i, std::move(result)); },
                  [this, i, id = batch.verbs[i].id](const caf::error& error) {
                    if (error == caf::sec::request_receiver_down) link().directory = session_directory_actor{};
                    settle(i, outcome_of(to_failure(error), id));
                  });
    });
  }

  static verb_answer outcome_of(failure why, const std::string& id) {
    const bool is_missing = why.code == errc::not_found || why.code == errc::session_dead;
    return {id, is_missing ? verb_outcome::missing : verb_outcome::rejected, std::move(why.message), 0};
  }

  void settle(std::size_t index, verb_answer result) {
    told_.answers[index] = std::move(result);
    if (--left_ == 0) answer(std::move(told_));
  }

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
  verb_answers told_;        // of a batch, as far as it is answered
  std::size_t left_ = 0;
};

}  // namespace

std::unique_ptr<actor_call> start_control_call(std::shared_ptr<shared_link> link, control_request request,
                                               std::chrono::milliseconds timeout, control_answers answers) {
  auto& system = link->system;
  return std::make_unique<actor_handle>(system.spawn<control_call>(std::move(link), std::move(request), timeout, std::move(answers)),
                                        request_id{});
}

}  // namespace troupe::gateway
