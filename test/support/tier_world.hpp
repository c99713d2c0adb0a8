// Peers of the tiers that a test speaks for: workers, stores, shards and a host tier that keep what they are told, and chains whose
// bytes follow from their tokens.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "actors/store_tier_messages.hpp"
#include "actors/tier_messages.hpp"
#include "test/support/actor_fixture.hpp"

namespace troupe::test {

struct worker_log {
  std::vector<core::slot_grant> slots;
  std::vector<core::lease_grant> leases;
};
struct store_log {
  std::vector<core::store_put> puts;
  std::vector<core::store_find> finds;
  std::vector<core::store_get> gets;
  std::vector<core::store_drop> drops;
  std::vector<std::uint64_t> cancelled;  ///< puts
  std::vector<owner_intent> intents;
  std::vector<owner_release> releases;
};
struct host_log {
  std::vector<core::store_put_done> puts;
  std::vector<core::store_found> found;
  std::vector<core::store_got> got;
};

template <class Handle, class Log>
struct peer {
  Handle handle;
  std::shared_ptr<Log> heard = std::make_shared<Log>();
};

struct tier_fixture : actor_fixture {
  static constexpr std::uint32_t width = 4;
  std::uint64_t block_bytes = 64;

  using worker_peer = peer<actors::tier_client_actor, worker_log>;
  worker_peer a_worker() {
    worker_peer made;
    made.handle = keep<actors::tier_client_actor>([log = made.heard]() -> caf::behavior {
      return {[log](const core::slot_grant& grant) { log->slots.push_back(grant); },
              [log](const core::lease_grant& grant) { log->leases.push_back(grant); }};
    });
    return made;
  }
  using store_peer = peer<actors::store_tier_actor, store_log>;
  store_peer a_store() {
    store_peer made;
    made.handle = keep<actors::store_tier_actor>([log = made.heard]() -> caf::behavior {
      return {[log](const core::store_put& put, const actors::store_client_actor&) { log->puts.push_back(put); },
              [log](const core::store_find& find, const actors::store_client_actor&) { log->finds.push_back(find); },
              [log](const core::store_get& get, const actors::store_client_actor&) { log->gets.push_back(get); },
              [log](const core::store_drop& drop) { log->drops.push_back(drop); },
              [log](const core::store_put_cancel& cancel) { log->cancelled.push_back(cancel.transfer); },
              [log](const owner_intent& intent) { log->intents.push_back(intent); },
              [log](const owner_release& release) {
                log->releases.push_back(release);
                return owner_released{};
              }};
    });
    return made;
  }
  using host_peer = peer<actors::store_client_actor, host_log>;
  host_peer a_host() {
    host_peer made;
    made.handle = keep<actors::store_client_actor>([log = made.heard]() -> caf::behavior {
      return {[log](const core::store_put_done& done) { log->puts.push_back(done); },
              [log](const core::store_found& found) { log->found.push_back(found); },
              [log](const core::store_got& got) { log->got.push_back(got); }};
    });
    return made;
  }
  using shard_peer = peer<shard_sink_actor, std::vector<block_events>>;
  shard_peer a_shard() {
    shard_peer made;
    made.handle = keep<shard_sink_actor>([log = made.heard]() -> caf::behavior {
      return {[log](const block_events& events) { log->push_back(events); }, [](const load_report&) {}};
    });
    return made;
  }

  /// Sends in the name of a peer.
  template <class From, class Whom, class... Contents>
  void say(const From& from, const Whom& whom, Contents... contents) {
    caf::send_as(caf::actor_cast<caf::actor>(from.handle), caf::actor_cast<caf::actor>(whom), std::move(contents)...);
    run();
  }

  /// Blocks of `width` tokens that count up from `first`.
  static std::shared_ptr<const core::tier_chain> chain_of(token_id first, std::uint32_t blocks) {
    auto chain = std::make_shared<core::tier_chain>();
    const core::block_hasher hasher{std::uint64_t{5}, width};
    chain->root = hasher.root();
    chain->tokens.resize(std::size_t{blocks} * width);
    std::iota(chain->tokens.begin(), chain->tokens.end(), first);
    hasher.extend(chain->blocks, chain->tokens);
    return chain;
  }
  static std::vector<core::tier_block> blocks_of(const core::tier_chain& chain) {
    std::vector<core::tier_block> blocks;
    for (std::size_t i = 0; i < chain.blocks.size(); ++i) {
      const auto tokens = chain.tokens.begin() + static_cast<std::ptrdiff_t>(i * width);
      const auto begin = static_cast<std::uint32_t>(i * width);
      blocks.push_back({chain.blocks[i], i == 0 ? chain.root : chain.blocks[i - 1].hash, {tokens, tokens + width}, role_of(chain.roles, begin, begin + width)});
    }
    return blocks;
  }
  [[nodiscard]] std::vector<std::byte> bytes_of(const core::block_identity& block) const {
    return std::vector<std::byte>(block_bytes, static_cast<std::byte>(block.hash.low));
  }
  void write(const core::block_identity& block, std::byte* slot) const { std::ranges::copy(bytes_of(block), slot); }
  [[nodiscard]] bool holds(const core::block_identity& block, const std::byte* slot) const {
    return std::ranges::equal(bytes_of(block), std::span(slot, block_bytes));
  }
  tier_status status_of(const tier_actor& tier) { return request<tier_status>(tier, tier_status_request{}).get(); }

 private:
  template <class Handle, class Make>
  Handle keep(Make make) {
    return caf::actor_cast<Handle>(track(system().spawn([make](caf::event_based_actor*) -> caf::behavior { return make(); })));
  }
};

}  // namespace troupe::test
