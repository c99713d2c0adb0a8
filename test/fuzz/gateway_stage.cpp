#include "test/fuzz/gateway_stage.hpp"

#include <boost/asio/post.hpp>

#include "engine/text/chat_input.hpp"

namespace troupe::fuzz {
namespace {

using namespace gateway;

expected<std::string> template_input(const turn_request& turn) {
  text::chat_input input;
  input.messages = turn.prompt.messages;
  input.tools = turn.prompt.tools;
  input.template_arguments = turn.prompt.template_arguments;
  input.continue_final_message = turn.prompt.continue_final_message;
  return text::to_template_input(input);
}

turn_delta delta_of(turn_delta::kind what, std::string text, std::uint32_t sequence) {
  turn_delta delta;
  delta.what = what;
  delta.text = std::move(text);
  delta.sequence = sequence;
  return delta;
}

turn_finished finished_as(turn_end how) {
  turn_finished event;
  event.how = how;
  event.usage = {.prompt_tokens = 9, .cached_tokens = 4, .output_tokens = 3};
  if (how == turn_end::failed) event.error = {errc::worker_lost, "no other worker can go on", {}};
  return event;
}

session_info describe(session_id id) {
  session_info info;
  info.id = std::move(id);
  info.model.value = "small";
  return info;
}

struct answering {
  control_answer operator()(const session_spawn& spawn) const { return describe(spawn.id); }
  control_answer operator()(const session_find& find) const { return describe(find.id); }
  control_answer operator()(const session_list&) const { return session_listing{{describe({"lead"})}}; }
  control_answer operator()(const session_verb& verb) const { return verb_answer{verb.id, verb_outcome::accepted, {}, 0}; }
  control_answer operator()(const node_status_request&) const { return node_status{"ready", 1, 0, 0, {}, {}}; }
  control_answer operator()(const metrics_request&) const { return metrics_text{"troupe_up 1\n"}; }
  control_answer operator()(const render_request& request) const { return render_result{request.input}; }
  control_answer operator()(const verb_batch& batch) const {
    verb_answers all;
    for (const auto& verb : batch.verbs) all.answers.push_back({verb.id, verb_outcome::accepted, {}, 0});
    return all;
  }
};

class scripted_call final : public actor_call {
 public:
  explicit scripted_call(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
  ~scripted_call() override { *wanted_ = false; }
  void cancel(errc) override { *wanted_ = false; }

 private:
  std::shared_ptr<bool> wanted_;
};

/// Every event comes by itself, as those of actors do.
class scripted_link final : public actor_link {
 public:
  scripted_link(strand where, turn_play play) : where_(std::move(where)), play_(play) {}

  std::unique_ptr<actor_call> turn(session_spawn, turn_request turn, turn_events events) override {
    auto wanted = std::make_shared<bool>(true);
    for (auto& event : events_of(play_, turn))
      boost::asio::post(where_, [wanted, events, event = std::move(event)] {
        if (*wanted) events(event);
      });
    return std::make_unique<scripted_call>(std::move(wanted));
  }
  std::unique_ptr<actor_call> control(control_request request, std::chrono::milliseconds, control_answers answers) override {
    auto wanted = std::make_shared<bool>(true);
    boost::asio::post(where_, [wanted, answers = std::move(answers), answer = answer_to(request)] {
      if (*wanted) answers(answer);
    });
    return std::make_unique<scripted_call>(std::move(wanted));
  }
  void end_session(const session_id&) override {}

 private:
  strand where_;
  turn_play play_;
};

}  // namespace

gateway_options stage_options() {
  gateway_options options;
  options.header_bytes_max = 8 << 10;
  options.body_bytes_max = 256 << 10;
  gateway_model model;
  model.name.value = "small";
  model.is_alias = [](std::string_view name) { return name.starts_with("gpt-"); };
  model.context_length = 4096;
  model.vocabulary_size = 256;
  model.created_s = 1'700'000'000;
  model.tokenize = [](std::string_view text, bool special) {
    std::vector<token_id> tokens;
    if (special) tokens.push_back(1);
    for (const char letter : text) tokens.push_back(static_cast<unsigned char>(letter));
    return tokens;
  };
  model.detokenize = [](const std::vector<token_id>& tokens) {
    std::string text;
    for (const auto token : tokens) text.push_back(static_cast<char>(token & 0x7F));
    return text;
  };
  model.template_input = template_input;
  options.models.push_back(std::move(model));
  return options;
}

std::vector<turn_event> events_of(turn_play play, const turn_request& turn) {
  using kind = turn_delta::kind;
  if (play == turn_play::silent) return {};
  if (play == turn_play::refused) return {failure{errc::queue_full, "too many turns are waiting", {}}};
  std::vector<turn_event> events{turn_started{turn.id, 9, 4}};
  std::uint32_t sequence = 0;
  events.push_back(delta_of(kind::reasoning, "Hm. \"", sequence++));
  events.push_back(delta_of(kind::text, "Grüße,\n", sequence++));
  if (play == turn_play::long_text) events.push_back(delta_of(kind::text, std::string(100'000, 'x'), sequence++));
  if (play == turn_play::tool_call) {
    auto begin = delta_of(kind::tool_begin, {}, sequence++);
    begin.tool_id = "call_1";
    begin.tool_name = turn.prompt.tools.empty() ? "run" : turn.prompt.tools.front().name;
    events.push_back(begin);
    events.push_back(delta_of(kind::tool_arguments, R"({"input":)", sequence++));
    events.push_back(delta_of(kind::tool_arguments, R"("a"})", sequence++));
  }
  const auto how = play == turn_play::failed ? turn_end::failed : play == turn_play::tool_call ? turn_end::tool_calls : turn_end::stop;
  events.push_back(finished_as(how));
  for (auto& event : events)
    std::visit([&](auto& each) { if constexpr (requires { each.id; }) each.id = turn.id; }, event);
  return events;
}

control_answer answer_to(const control_request& request) { return std::visit(answering{}, request); }

actor_link_factory scripted_links(turn_play play) {
  return [play](const strand& where, const io_context_ptr&) { return std::make_unique<scripted_link>(where, play); };
}

}  // namespace troupe::fuzz
