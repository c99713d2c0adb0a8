// A host tier of six blocks, below one worker that offers chains whole.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/core/host_pool.hpp"

namespace troupe::test {

struct small_host {
  explicit small_host(std::vector<core::tenant_share> tenants = {})
      : pool(*core::host_pool::make(
            {.block_count = 6, .block_tokens = 4, .block_bytes = 64, .retention = "lifecycle", .tenants = std::move(tenants)})) {}

  std::shared_ptr<const core::tier_chain> chain_of(token_id first, std::uint32_t blocks) const {
    auto made = std::make_shared<core::tier_chain>();
    made->root = hasher.root();
    made->tokens.resize(std::size_t{blocks} * 4);
    std::iota(made->tokens.begin(), made->tokens.end(), first);
    hasher.extend(made->blocks, made->tokens);
    return made;
  }
  /// Returns how many were taken.
  std::size_t offer(const core::tier_chain& chain, owner_id owner, tenant_index tenant = 0) {
    core::slot_request request{++transfers, {}};
    for (std::uint32_t i = 0; i < chain.blocks.size(); ++i) {
      const auto begin = chain.tokens.begin() + 4 * i;
      const auto parent = i == 0 ? chain.root : chain.blocks[i - 1].hash;
      request.blocks.push_back(
          {chain.blocks[i], parent, {begin, begin + 4}, core::block_role::unknown, {owner}, core::rank_default, tenant});
    }
    const auto grant = pool->reserve(1, request);
    is_full = grant.is_full;
    pool->commit(1, {transfers, true, std::vector(request.blocks.size(), std::vector{owner})});
    return grant.slots.size() - static_cast<std::size_t>(std::ranges::count(grant.slots, nullptr));
  }

  core::block_hasher hasher{std::uint64_t{5}, 4};
  std::unique_ptr<core::host_pool> pool;
  std::uint64_t transfers = 0;
  bool is_full = false;  ///< as the last offer was told
};

}  // namespace troupe::test
