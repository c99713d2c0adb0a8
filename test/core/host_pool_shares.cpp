// Shares of a host tier by tenant: copies that are offered, and slots for what is loaded.
#include <doctest/doctest.h>

#include "test/support/small_host.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

using counts_type = std::vector<std::uint32_t>;

struct shared_host : test::small_host {
  shared_host() : small_host({{"default", 1}, {"acme", 0.5}}) {}
  [[nodiscard]] std::uint64_t removed_by(eviction_cause cause) const { return pool->counts().blocks.removed_by(cause); }
};

}  // namespace

TEST_CASE("copies of a tenant above its share make room for another's") {
  shared_host host;
  const auto flood = host.chain_of(0, 5), comes = host.chain_of(100, 3);
  CHECK(host.offer(*flood, {1}, 1) == 5);
  CHECK(host.pool->tenants().blocks() == counts_type{0, 5});
  CHECK(host.offer(*comes, {2}, 0) == 3);
  CHECK(host.pool->tenants().blocks() == counts_type{3, 3});
  CHECK(host.removed_by(eviction_cause::quota) == 2);
  CHECK(host.pool->held(*flood) == 3);
  CHECK_FALSE(host.pool->check_integrity());
}

TEST_CASE("slots for what a tenant at its share loads are its own") {
  shared_host host;
  const auto kept = host.chain_of(0, 3), other = host.chain_of(100, 3), loaded = host.chain_of(200, 2);
  host.offer(*other, {2}, 0);
  host.offer(*kept, {1}, 1);
  lease_request request{1, {1}, {1}, loaded, 0};
  request.tenant = 1;
  CHECK(host.pool->begin_load(1, request, 2).slots.size() == 2);
  CHECK(host.pool->tenants().blocks() == counts_type{3, 3});
  host.pool->end_load(1, 1);  // one has not arrived
  CHECK(host.pool->tenants().blocks() == counts_type{3, 2});
  CHECK(host.removed_by(eviction_cause::quota) == 2);
  CHECK(host.pool->held(*other) == 3);
  CHECK(host.pool->held(*kept) == 1);
  CHECK_FALSE(host.pool->check_integrity());
}
