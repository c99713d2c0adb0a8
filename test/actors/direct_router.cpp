#include "actors/direct_router.hpp"

#include <doctest/doctest.h>

#include "actors/register.hpp"
#include "test/support/actor_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;

namespace {

caf::behavior idle_worker(caf::event_based_actor*) {
  return {[](const shard_joined&, const shard_sink_actor&) {}};
}

struct direct_world : test::actor_fixture {
  router_shard_actor router;
  direct_world() {
    behaviour_registry known;
    register_behaviours(known);
    router = (*known.routers.find("direct"))(system(), router_setup{});
    run();
  }
  ~direct_world() { caf::anon_send_exit(router, caf::exit_reason::user_shutdown); }

  worker_actor add(std::uint32_t id, const char* model) {
    auto worker = caf::actor_cast<worker_actor>(spawn(idle_worker));
    tell(router, worker_joined{{id}, {model}, 1, 32}, worker);
    return worker;
  }
  test::answer<route_grant, worker_actor> ask(std::uint64_t id, const char* model) {
    route_request request;
    request.id = {id};
    request.model = {model};
    return this->request<route_grant, worker_actor>(router, request);
  }
};

}  // namespace

TEST_CASE("the workers of a model take turns, and another model's are left alone") {
  direct_world world;
  auto first = world.add(1, "a");
  auto second = world.add(2, "a");
  world.add(3, "b");
  CHECK(world.ask(10, "a").get<1>() == first);
  CHECK(world.ask(11, "a").get<1>() == second);
  CHECK(world.ask(12, "a").get().worker == worker_id{1});
  CHECK(world.ask(13, "b").get().worker == worker_id{3});
}

TEST_CASE("a model without a worker is not ready, and a dead worker gets no turn") {
  direct_world world;
  CHECK(world.ask(1, "a").code() == errc::not_ready);
  auto worker = world.add(1, "a");
  CHECK(world.ask(2, "a").ready());
  caf::anon_send_exit(worker, caf::exit_reason::kill);
  world.run();
  CHECK(world.ask(3, "a").code() == errc::not_ready);
}
