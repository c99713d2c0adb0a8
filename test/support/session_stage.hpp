// A session's world, played by scripted peers: a renderer, a router, workers, a trace, a directory and a sink. Each keeps what it was told
// as readable lines, so a test is a message chart. Nothing answers by itself unless the script says so.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "actors/session.hpp"
#include "test/support/actor_fixture.hpp"
#include "test/support/byte_tokenizer.hpp"

namespace troupe::test {

using lines = std::vector<std::string>;

/// What the fake router is asked, and how it answers: the next worker of `grants`, for ever the last.
struct router_script {
  std::vector<route_request> asked;
  std::vector<std::uint64_t> ended;
  std::deque<std::pair<worker_id, worker_actor>> grants;
  bool silent = false;
};

struct worker_script {
  std::vector<admit_request> admitted;
  lines heard;  ///< "cancel 1", "release <owner>"
  std::vector<owner_release> released;
  std::vector<turn_outcome> outcomes;
  std::vector<owner_forget> forgotten;
  std::vector<owner_intent> intents;
  intent_applied applied;   ///< the answer to each intent
  pause_forecast forecast;  ///< the answer to each outcome
  std::uint32_t blocks_freed = 0;
  bool silent = false;  ///< no request is answered
  bool silent_prefetch = false;
  std::map<std::uint64_t, sequence_sink_actor> sinks;
};

/// Told to a fake worker, which passes it on as its own.
struct play {
  sequence_progress progress;
};

caf::behavior fake_router(caf::event_based_actor* self, std::shared_ptr<router_script> script);
caf::behavior fake_worker(caf::event_based_actor* self, std::shared_ptr<worker_script> script);
/// Renders `<|im_start|>role\ncontent<|im_end|>\n` per message; a message "raise" fails.
caf::behavior fake_renderer(caf::event_based_actor* self, std::shared_ptr<bool> silent);

struct fake_worker_place {
  worker_actor handle;
  std::shared_ptr<worker_script> script = std::make_shared<worker_script>();
};

class session_stage : public actor_fixture {
 public:
  session_stage();
  ~session_stage();

  static std::shared_ptr<const actors::served_model> byte_model(std::string name = "tiny");
  fake_worker_place add_worker(std::uint32_t id);
  actors::session_setup setup(const std::string& id = "agent");
  actors::session_local_actor start(const actors::session_setup& setup);
  /// A sink and the lines of what it was told.
  std::pair<turn_sink_actor, std::shared_ptr<lines>> sink();

  static turn_request chat(std::uint64_t id, const std::string& text);
  static turn_request text(std::uint64_t id, const std::string& text);
  static sequence_progress started(std::uint64_t id, std::uint32_t prompt, std::uint32_t cached);
  static sequence_progress tokens(std::uint64_t id, std::uint32_t first, const std::string& text);
  static sequence_progress ended(std::uint64_t id, core::finish_reason reason);
  void say(const fake_worker_place& worker, sequence_progress progress) { tell(worker.handle, play{std::move(progress)}); }
  answer<verb_answer> verb(const actors::session_local_actor& whom, const std::string& id, verb_kind what, lines tools = {});

  std::shared_ptr<router_script> routes = std::make_shared<router_script>();
  std::shared_ptr<bool> renderer_silent = std::make_shared<bool>(false);
  std::shared_ptr<lines> traced = std::make_shared<lines>();
  std::shared_ptr<std::vector<pause_record>> pauses = std::make_shared<std::vector<pause_record>>();
  std::shared_ptr<lines> reported = std::make_shared<lines>();  ///< to the directory
  std::shared_ptr<std::vector<intent_record>> kept = std::make_shared<std::vector<intent_record>>();  ///< by the directory
  std::shared_ptr<const actors::model_registry> models;
  actors::session_services services;
  actors::session_home_actor home;

 private:
  std::uint64_t unexpected_before_;
};

}  // namespace troupe::test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::test::play)
