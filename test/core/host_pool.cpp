// Whose copies a host tier gives up first: what runs above is there twice.
#include "engine/core/host_pool.hpp"

#include <doctest/doctest.h>

#include "test/support/small_host.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

struct host_of_turns : test::small_host {
  void begin_turn(const std::shared_ptr<const tier_chain>& chain, owner_id owner) {
    pool->touch(1, {owner, chain, turn_opening{owner.value, turn_input::tool_result, static_cast<std::uint32_t>(chain->blocks.size())}});
  }
  void end_turn(owner_id owner) { pool->finish({owner, {.turn = owner.value, .end = turn_end::tool_calls}, {}}); }
  void foretell(owner_id owner, bool is_leaving) { pool->apply(turn_outlook{owner, owner.value, is_leaving}); }
};

}  // namespace

TEST_CASE("copies of what the device keeps are the first to leave, and displace nothing until it may give that up") {
  host_of_turns host;
  const auto away = host.chain_of(0, 3), runs = host.chain_of(100, 3), comes = host.chain_of(200, 2);
  for (const auto& [chain, owner] : {std::pair{away, owner_id{1}}, std::pair{runs, owner_id{2}}}) {
    host.begin_turn(chain, owner);
    CHECK(host.offer(*chain, owner) == 3);
  }
  CHECK(host.is_full);  // none is free
  host.end_turn({1});
  host.foretell({1}, true);
  host.begin_turn(comes, {3});
  CHECK(host.offer(*comes, {3}) == 0);
  CHECK(host.is_full);
  host.end_turn({3});
  CHECK(host.offer(*comes, {3}) == 0);
  host.pool->apply(turn_outlook{{3}, 99});  // of another turn
  CHECK(host.offer(*comes, {3}) == 0);
  host.foretell({3}, true);
  host.foretell({3}, false);
  CHECK(host.offer(*comes, {3}) == 0);
  host.foretell({3}, true);
  CHECK(host.offer(*comes, {3}) == 2);
  CHECK(host.pool->held(*away) == 3);
  CHECK(host.pool->held(*runs) == 1);
  CHECK(host.pool->held(*comes) == 2);
  CHECK_FALSE(host.pool->check_integrity());
}

TEST_CASE("a client that is gone keeps nothing, though another has had the session since") {
  host_of_turns host;
  const auto kept = host.chain_of(0, 3), other = host.chain_of(100, 3), comes = host.chain_of(200, 2);
  host.begin_turn(kept, {1});
  CHECK(host.offer(*kept, {1}) == 3);
  host.end_turn({1});
  host.pool->touch(2, {{1}, other, turn_opening{77, turn_input::tool_result, 3}});
  CHECK(host.offer(*other, {1}) == 3);
  host.pool->forget(1);
  host.begin_turn(comes, {3});
  host.foretell({3}, true);
  host.offer(*comes, {3});
  CHECK(host.pool->held(*kept) + host.pool->held(*other) + host.pool->held(*comes) == 6);
  CHECK(host.pool->held(*kept) > 0);
  CHECK_FALSE(host.pool->check_integrity());
}

TEST_CASE("a client that is gone keeps nothing: its copies count as others do") {
  host_of_turns host;
  const auto kept = host.chain_of(0, 3), away = host.chain_of(100, 3), comes = host.chain_of(200, 2);
  for (const auto& [chain, owner] : {std::pair{kept, owner_id{1}}, std::pair{away, owner_id{2}}}) {
    host.begin_turn(chain, owner);
    CHECK(host.offer(*chain, owner) == 3);
    host.end_turn(owner);
  }
  host.foretell({2}, true);
  host.pool->forget(1);
  host.begin_turn(comes, {3});
  CHECK(host.offer(*comes, {3}) == 0);  // its own device keeps it
  CHECK(host.pool->held(*kept) == 3);
  CHECK_FALSE(host.pool->check_integrity());
}
