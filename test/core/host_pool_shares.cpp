// Shares of a host tier by tenant: copies that are offered, and slots for what is loaded.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "engine/core/host_pool.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

using counts_type = std::vector<std::uint32_t>;

struct shared_host {
  std::shared_ptr<const tier_chain> chain_of(token_id first, std::uint32_t blocks) const {
    auto made = std::make_shared<tier_chain>();
    made->root = hasher.root();
    made->tokens.resize(std::size_t{blocks} * 4);
    std::iota(made->tokens.begin(), made->tokens.end(), first);
    hasher.extend(made->blocks, made->tokens);
    return made;
  }
  /// Returns how many were taken.
  std::size_t offer(const tier_chain& chain, owner_id owner, tenant_index tenant) {
    slot_request request{++transfers, {}};
    for (std::uint32_t i = 0; i < chain.blocks.size(); ++i) {
      const auto begin = chain.tokens.begin() + 4 * i;
      const auto parent = i == 0 ? chain.root : chain.blocks[i - 1].hash;
      request.blocks.push_back({chain.blocks[i], parent, {begin, begin + 4}, block_role::unknown, {owner}, rank_default, tenant});
    }
    const auto grant = pool->reserve(1, request);
    pool->commit(1, {transfers, true, std::vector(request.blocks.size(), std::vector{owner})});
    return grant.slots.size() - static_cast<std::size_t>(std::ranges::count(grant.slots, nullptr));
  }
  [[nodiscard]] std::uint64_t removed_by(eviction_cause cause) const { return pool->counts().blocks.removed_by(cause); }

  block_hasher hasher{std::uint64_t{5}, 4};
  std::unique_ptr<host_pool> pool = *host_pool::make(
      {.block_count = 6, .block_tokens = 4, .block_bytes = 64, .retention = "lifecycle", .tenants = {{"default", 1}, {"acme", 0.5}}});
  std::uint64_t transfers = 0;
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
