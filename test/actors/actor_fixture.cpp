#include "test/support/actor_fixture.hpp"

#include <doctest/doctest.h>

#include "messages/interfaces.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

template_renderer_actor::behavior_type echo(template_renderer_actor::pointer self) {
  return {[self](const render_request& request) -> caf::result<render_result> {
    if (request.input == "fail") return make_error(errc::template_failed, "no", "input");
    if (request.input == "late") return self->make_response_promise<render_result>();
    return render_result{request.input};
  }};
}

}  // namespace

TEST_CASE("the fixture delivers answers and failures, and tells a missing answer from both") {
  test::actor_fixture fixture;
  auto renderer = fixture.spawn(echo);
  auto good = fixture.request<render_result>(renderer, render_request{{1}, {"m"}, "text"});
  auto bad = fixture.request<render_result>(renderer, render_request{{2}, {"m"}, "fail"});
  auto late = fixture.request<render_result>(renderer, render_request{{3}, {"m"}, "late"});
  REQUIRE(good.ready());
  CHECK(good.get().text == "text");
  CHECK(bad.error() == failure{errc::template_failed, "no", "input"});
  CHECK_FALSE(late.ready());
}

TEST_CASE("virtual time passes only when told, and a watched end has its reason") {
  test::actor_fixture fixture;
  auto start = fixture.now();
  fixture.advance(25ms);
  CHECK(fixture.now() - start == 25ms);
  auto renderer = fixture.spawn(echo);
  auto reason = fixture.watch(renderer);
  CHECK_FALSE(reason->has_value());
  fixture.end(renderer, caf::exit_reason::kill);
  REQUIRE(reason->has_value());
  CHECK(**reason == caf::exit_reason::kill);
}
