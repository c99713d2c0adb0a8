#include "actors/template_renderer.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "test/support/actor_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace std::chrono_literals;

namespace {

/// What the injected engine was asked, and how often it was made.
struct engine_log {
  int made = 0;
  std::vector<std::string> rendered;
};

template_renderer_setup setup_of(std::shared_ptr<engine_log> log) {
  template_renderer_setup setup;
  setup.where = template_renderer_setup::thread::shared;
  setup.make = [log]() -> expected<render_function> {
    ++log->made;
    return render_function{[log](const std::string& model, const std::string& input) -> expected<std::string> {
      if (input == "bad") return failure{errc::template_failed, "line 3: no", {}};
      if (input == "throw") throw std::runtime_error{"interpreter gone"};
      log->rendered.push_back(input);
      return model + ":" + input;
    }};
  };
  return setup;
}

render_request request(std::uint64_t id, std::string input) { return {{id}, {"m"}, std::move(input)}; }

}  // namespace

TEST_CASE("a template is rendered by an engine that is made once, at the first request") {
  test::actor_fixture fixture;
  auto log = std::make_shared<engine_log>();
  auto renderer = fixture.spawn(template_renderer, setup_of(log));
  CHECK(log->made == 0);
  auto first = fixture.request<render_result>(renderer, request(1, "a"));
  auto second = fixture.request<render_result>(renderer, request(2, "b"));
  REQUIRE(first.ready());
  CHECK(first.get().text == "m:a");
  CHECK(second.get().text == "m:b");
  CHECK(log->made == 1);
}

TEST_CASE("a template error travels to the one who asked and the renderer goes on") {
  test::actor_fixture fixture;
  auto renderer = fixture.spawn(template_renderer, setup_of(std::make_shared<engine_log>()));
  auto bad = fixture.request<render_result>(renderer, request(1, "bad"));
  auto good = fixture.request<render_result>(renderer, request(2, "a"));
  CHECK(bad.error() == failure{errc::template_failed, "line 3: no", {}});
  CHECK(good.get().text == "m:a");
}

TEST_CASE("an engine that cannot be made fails the request and is tried again at the next") {
  test::actor_fixture fixture;
  auto tries = std::make_shared<int>(0);
  auto setup = setup_of(std::make_shared<engine_log>());
  setup.make = [tries, make = setup.make]() -> expected<render_function> {
    if (++*tries == 1) return failure{errc::io_failed, "no interpreter", {}};
    return make();
  };
  auto renderer = fixture.spawn(template_renderer, setup);
  CHECK(fixture.request<render_result>(renderer, request(1, "a")).code() == errc::io_failed);
  CHECK(fixture.request<render_result>(renderer, request(2, "a")).get().text == "m:a");
}

TEST_CASE("the request beyond the bound is refused at once while the thread is blocked, and there is room again after it") {
  test::actor_fixture fixture;
  auto log = std::make_shared<engine_log>();
  auto setup = setup_of(log);
  std::vector<test::answer<render_result>> answers;
  template_renderer_actor renderer;
  // The engine is the thread: while it renders "first", three more requests reach the gate, of which two fit.
  setup.waiting_max = 3;
  setup.make = [&, make = setup.make]() -> expected<render_function> {
    auto inner = make();
    return render_function{[&, inner = *inner](const std::string& model, const std::string& input) {
      if (input == "first")
        for (std::uint64_t id = 2; id <= 4; ++id) answers.push_back(fixture.request<render_result>(renderer, request(id, "more")));
      return inner(model, input);
    }};
  };
  renderer = fixture.spawn(template_renderer, setup);
  auto first = fixture.request<render_result>(renderer, request(1, "first"));
  REQUIRE(answers.size() == 3);
  CHECK(first.get().text == "m:first");
  CHECK(answers[0].get().text == "m:more");
  CHECK(answers[1].get().text == "m:more");
  CHECK(answers[2].code() == errc::queue_full);
  CHECK(log->rendered == std::vector<std::string>{"first", "more", "more"});
  CHECK(fixture.request<render_result>(renderer, request(5, "later")).get().text == "m:later");
}

TEST_CASE("a request that waited past its deadline is answered without being rendered") {
  test::actor_fixture fixture;
  auto log = std::make_shared<engine_log>();
  auto setup = setup_of(log);
  test::answer<render_result> late;
  template_renderer_actor renderer;
  setup.queue_wait = 2s;
  setup.make = [&, make = setup.make]() -> expected<render_function> {
    auto inner = make();
    return render_function{[&, inner = *inner](const std::string& model, const std::string& input) {
      if (input == "slow") {
        late = fixture.request<render_result>(renderer, request(2, "late"));
        fixture.scheduler().advance_time(2001ms);
      }
      return inner(model, input);
    }};
  };
  renderer = fixture.spawn(template_renderer, setup);
  auto slow = fixture.request<render_result>(renderer, request(1, "slow"));
  CHECK(slow.get().text == "m:slow");
  CHECK(late.code() == errc::deadline_exceeded);
  CHECK(log->rendered == std::vector<std::string>{"slow"});
}

TEST_CASE("an exception in the engine ends the renderer with its text, and who waits is told") {
  test::actor_fixture fixture;
  auto renderer = fixture.spawn(template_renderer, setup_of(std::make_shared<engine_log>()));
  auto reason = fixture.watch(renderer);
  auto answer = fixture.request<render_result>(renderer, request(1, "throw"));
  CHECK(answer.code() == errc::not_ready);
  REQUIRE(reason->has_value());
  CHECK(to_failure(**reason) == failure{errc::internal, "render_thread: interpreter gone", {}});
}
