// One host tier with workers, stores and shards that say what a test wants said.
#pragma once

#include "actors/host_tier.hpp"
#include "test/support/tier_world.hpp"

namespace troupe::test {

struct host_world : tier_fixture {
  actors::host_tier_actor tier;
  std::uint64_t transfers = 0, questions = 0;

  explicit host_world(std::uint32_t blocks = 16) {
    tier = spawn(actors::host_tier, actors::host_tier_setup{{7}, {"m"}, 3, {blocks, width, block_bytes, true}});
  }
  void connect(const std::vector<store_peer>& stores) {
    actors::stores_below below;
    for (const auto& store : stores) below.handles.push_back(store.handle);
    tell(tier, below);
  }
  tier_status status() {
    auto now = status_of(tier_actor{tier});
    CHECK(now.integrity == "");
    return now;
  }
  core::slot_grant offer(const worker_peer& worker, const core::tier_chain& chain, owner_id owner = {1}) {
    auto blocks = blocks_of(chain);
    for (auto& each : blocks) each.owners = {owner};
    say(worker, tier, core::slot_request{++transfers, std::move(blocks)}, worker.handle);
    return worker.heard->slots.back();
  }
  /// Copies a chain in for one owner.
  core::slot_grant fill(const worker_peer& worker, const core::tier_chain& chain, std::uint64_t owner) {
    auto grant = offer(worker, chain, {owner});
    for (std::size_t i = 0; i < grant.slots.size(); ++i)
      if (grant.slots[i] != nullptr) write(chain.blocks[i], grant.slots[i]);
    say(worker, tier, core::slot_commit{grant.transfer, true, std::vector<std::vector<owner_id>>(grant.slots.size(), {owner_id{owner}})});
    return grant;
  }
  core::lease_request ask(const worker_peer& worker, std::shared_ptr<const core::tier_chain> chain, std::uint64_t owner,
                          double computed_block_s = 0) {
    core::lease_request request{++questions, {100 + owner}, {owner}, std::move(chain), 0, computed_block_s};
    say(worker, tier, request, worker.handle);
    return request;
  }
  void end_all(const worker_peer& worker) {
    for (const auto& grant : worker.heard->leases) say(worker, tier, core::lease_end{grant.number});
  }
  void bring(const store_peer& store, std::uint32_t blocks) {
    const auto& get = store.heard->gets.back();
    for (std::uint32_t i = 0; i < blocks; ++i) write(get.chain->blocks[get.from + i], get.slots[i]);
    say(store, tier, core::store_got{get.load, blocks});
  }
  void find(const store_peer& store, std::uint32_t blocks) { say(store, tier, core::store_found{store.heard->finds.back().load, blocks}); }
};

}  // namespace troupe::test
