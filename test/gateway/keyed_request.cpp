// From a request with an idempotency key to its turn, where two connections race and where no more turns are kept.
#include "gateway/keyed_request.hpp"

#include "gateway/kept_turn.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

/// A writer that counts how often its turn was refused.
class counting_writer final : public answer_writer {
 public:
  explicit counting_writer(int& refused) : refused_(refused) {}
  void started(const turn_started&, std::string&) override {}
  void delta(const turn_delta&, std::string&) override {}
  void finished(const turn_finished&, std::string&) override {}
  void failed(const failure&, std::string_view, std::string&) override {}
  void refused(const failure&) override { ++refused_; }

 private:
  int& refused_;
};

/// Answers nothing, and notes whom it is told to end.
class silent_link final : public actor_link {
 public:
  explicit silent_link(std::vector<std::string>& ended) : ended_(ended) {}
  std::unique_ptr<actor_call> turn(session_spawn, turn_request, turn_events) override { return nullptr; }
  std::unique_ptr<actor_call> control(control_request, std::chrono::milliseconds, control_answers) override { return nullptr; }
  void end_session(const session_id& id) override { ended_.push_back(id.value); }

 private:
  std::vector<std::string>& ended_;
};

struct keyed_world {
  explicit keyed_world(std::size_t turns_max) {
    auto made = std::make_shared<connection_context>(test::test_options());
    made->io = std::make_shared<boost::asio::io_context>();
    made->make_link = [this](const strand&, const io_context_ptr&) { return std::make_unique<silent_link>(ended_by_turn); };
    made->turns = std::make_shared<turn_registry>(turns_max, std::size_t{1} << 20);
    context = made;
  }
  ~keyed_world() { finish(); }

  void finish() {
    context->turns->stop();
    context->io->restart();
    context->io->run();
  }

  std::variant<followed_turn, route_result> find(const turn_key& key, const std::function<void()>& meanwhile = [] {}) {
    return find_turn(
        key, context, "r", error_shape::openai,
        [&]() -> route_result {
          meanwhile();
          turn_job job;
          job.writer = std::make_unique<counting_writer>(refused);
          job.ended = {{"displaced"}, {"too"}};
          return job;
        },
        [&](const session_id& id) { ended.push_back(id.value); });
  }

  std::shared_ptr<const connection_context> context;
  std::vector<std::string> ended, ended_by_turn;
  int refused = 0;
};

turn_key key_named(std::string scope) {
  turn_key key;
  key.scope = std::move(scope);
  return key;
}

}  // namespace

TEST_CASE("a request that another connection was faster with ends the sessions that it has displaced") {
  keyed_world world(8);
  const auto key = key_named("k");
  const auto found = world.find(key, [&] { REQUIRE(world.context->turns->open(key, world.context)); });
  REQUIRE(std::holds_alternative<followed_turn>(found));
  CHECK(std::get<followed_turn>(found).is_repeat);
  CHECK(world.ended == std::vector<std::string>{"displaced", "too"});
  CHECK(world.refused == 1);
  world.finish();
  CHECK(world.ended_by_turn.empty());
}

TEST_CASE("a request beyond the turns that are kept ends the sessions that it has displaced, one that is begun leaves that to its turn") {
  keyed_world world(1);
  const auto begun = world.find(key_named("a"));
  REQUIRE(std::holds_alternative<followed_turn>(begun));
  CHECK_FALSE(std::get<followed_turn>(begun).is_repeat);
  CHECK(world.ended.empty());
  const auto full = world.find(key_named("b"));
  REQUIRE(std::holds_alternative<route_result>(full));
  CHECK(std::get<failure>(std::get<route_result>(full)).code == errc::queue_full);
  CHECK(world.ended == std::vector<std::string>{"displaced", "too"});
  CHECK(world.refused == 1);
  world.finish();
  CHECK(world.ended_by_turn == std::vector<std::string>{"displaced", "too"});
}
