// Tenants on their way from the config to the blocks of a worker, and back as figures.
#include <doctest/doctest.h>

#include <algorithm>

#include "actors/metrics.hpp"
#include "actors/session_directory.hpp"
#include "actors/tenant_table.hpp"
#include "test/support/session_stage.hpp"
#include "test/support/worker_world.hpp"

using namespace troupe;
using namespace troupe::test;
using names_type = std::vector<std::string>;
using counts_type = std::vector<std::uint32_t>;

namespace {

bool has_line(const std::string& text, const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; }

}  // namespace

TEST_CASE("tenants are numbered as the config names them, behind the default one") {
  actors::config settings;
  CHECK(actors::tenant_shares_of(settings).empty());
  settings.tenants = {{.name = "acme", .cache_share_max = 0.25}, {.name = "default", .cache_share_max = 0.5}, {.name = "beta"}};
  CHECK(actors::tenant_shares_of(settings) == std::vector<core::tenant_share>{{"default", 0.5}, {"acme", 0.25}, {"beta", 1}});
  const names_type names{"default", "acme", "beta"};
  CHECK(actors::tenant_index_of(names, "beta") == 2);
  CHECK(actors::tenant_index_of(names, "default") == 0);
  CHECK(actors::tenant_index_of(names, "gone") == 0);
  CHECK(actors::tenant_index_of({}, "acme") == 0);
}

TEST_CASE("the turns of a tenant's session carry its number") {
  session_stage stage;
  const auto worker = stage.add_worker(1);
  actors::session_directory_setup setup;
  setup.services = stage.services;
  setup.models = stage.models;
  setup.tenants = {"default", "acme"};
  const auto directory = stage.track(actors::spawn_session_directory(stage.system(), setup));
  stage.run();
  const auto [to, heard] = stage.sink();
  std::uint64_t turns = 0;
  for (const std::string id : {"a", "acme a"}) {
    const auto session = stage.request<session_info, session_actor>(directory, session_spawn{{id}, {}, {}, 0}).get<1>();
    stage.request<request_id>(session, session_stage::text(++turns, "x"), to);
  }
  REQUIRE(worker.script->admitted.size() == 2);
  CHECK(worker.script->admitted[0].tenant == 0);
  CHECK(worker.script->admitted[1].tenant == 1);
}

TEST_CASE("a worker gives up blocks of the tenant above its share, and says whose it has") {
  worker_world world;
  auto setup = world.setup();
  setup.device.pool.tenants = {{"default", 1}, {"acme", 0.25}};
  world.worker = world.spawn(actors::worker, setup);
  const auto [sink, progress] = world.sink();
  const auto play = [&, to = sink](admit_request request, tenant_index tenant) {
    request.owner = {tenant + 50U};
    request.tenant = tenant;
    world.tell(world.worker, request, to);
    world.finish_all();
  };
  play(admission(1, 40, 3, 100), 1);
  play(admission(2, 20, 3, 200), 0);
  CHECK(world.status().tenants == names_type{"default", "acme"});
  CHECK(world.status().blocks_by_tenant == counts_type{5, 10});
  play(admission(3, 12, 3, 300), 0);  // four blocks, of which one is free
  const auto after = world.status();
  CHECK(after.blocks_by_tenant == counts_type{8, 7});
  CHECK(removed_by(after.blocks_removed, core::eviction_cause::quota) == 3);
  CHECK(removed_by(after.blocks_removed, core::eviction_cause::capacity) == 0);
  CHECK(after.integrity.empty());
}

TEST_CASE("metrics name tenants, where they are counted") {
  worker_status worker;
  worker.worker = {3};
  worker.model = {"m"};
  worker.tenants = {"default", "acme"};
  worker.blocks_by_tenant = {5, 7};
  tier_status disk;
  disk.model = {"m"};
  disk.kind = "disk";
  const auto text = actors::render_gauges({worker}, {disk}, {});
  CHECK(has_line(text, R"(troupe_worker_blocks_by_tenant{worker="3",model="m",tenant="default"} 5)"));
  CHECK(has_line(text, R"(troupe_worker_blocks_by_tenant{worker="3",model="m",tenant="acme"} 7)"));
  CHECK(text.find("troupe_tier_blocks_by_tenant") == std::string::npos);
}
