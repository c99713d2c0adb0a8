// Who gives way when a tenant has more than its share of a pool.
#include "engine/core/block_pool_state.hpp"

namespace troupe::core {

const tenant_shares& block_pool::tenants() const noexcept { return state_->shares; }

eviction block_pool::state::victim(const retention_policy::question& asked, tenant_index tenant) {
  return shares.is_bounded() ? victim_by_share(asked, tenant) : policy->victim(asked, now);
}

/// Whoever would have more than its share by this block gives up one of its own, even the best of what it has idle; then those that have
/// more than theirs already, the one with the most above first. What nobody of them can give, because it is leased or pinned, is taken
/// where it is worth least, as ever.
eviction block_pool::state::victim_by_share(const retention_policy::question& asked, tenant_index tenant) {
  eviction gone;
  const auto ask = [&](tenant_index whose, retention_policy::question question) {
    question.tenant = whose;
    gone = policy->victim(question, now);
    gone.cause = eviction_cause::quota;
    return gone.block == no_block;
  };
  const bool is_full = shares.is_full(tenant);
  if (is_full && !ask(tenant, asked)) return gone;
  if (is_full && asked.competing != no_stream) return {};  // it does not need the room: others do not make it
  shares.visit_above([&](tenant_index above) { return above == tenant || ask(above, {}); });
  return gone.block == no_block ? policy->victim(asked, now) : gone;
}

}  // namespace troupe::core
