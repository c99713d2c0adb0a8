// Questions of workers whose blocks lie in the stores below the host: which store is asked, who waits for a load that another question
// began, and whether computing would be faster. The stores are asked one after the other, the nearest first, and after each arrival from
// the first again: what one lacks in the middle another may have.
//
//   ask --all here, no store, too many--> answered
//    |--its next block is being loaded--> waiting --that load has ended--> ask again, or answered when it brought nothing
//    \--> finding --there, and faster than computing--> fetching --arrived--> finding ... --no more--> answered
//
// A question is answered at its deadline in any case. What is being fetched goes on: a store may write into its slots until it answers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/core/decaying_rate.hpp"
#include "engine/core/host_pool.hpp"
#include "engine/core/lower_store.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/core/tier.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {

struct store_loader_counts {
  std::uint64_t blocks_failed = 0;      ///< asked of a store that did not bring them, or not in time
  std::uint64_t blocks_recomputed = 0;  ///< a store has them, but computing them was estimated to be faster
};

struct store_loader_messages {
  std::vector<std::pair<std::uint64_t, store_find>> finds;  ///< by store
  std::vector<std::pair<std::uint64_t, store_get>> gets;
  std::vector<std::pair<host_pool::client_id, lease_grant>> grants;
};

class store_loader {
 public:
  using client_id = host_pool::client_id;
  using store_id = std::uint64_t;

  explicit store_loader(host_pool& pool) : pool_(pool) {}

  void ask(client_id client, lease_request request, instant now);
  /// What a store says of something that it was not asked, or was asked once and has answered, is ignored.
  void found(store_id from, const store_found& said, instant now);
  void got(store_id from, const store_got& said, instant now);
  /// Answers the questions whose deadline has passed.
  void expire(instant now);
  [[nodiscard]] std::optional<instant> next_deadline() const;
  /// The nearest first. One that is no longer among them has ended, and with it what it wrote.
  void change_stores(std::vector<store_id> nearest_first);
  /// The client is gone: nobody would end a lease of it.
  void forget(client_id client);
  /// Call it before the pool's: what is answered later opens this turn no more.
  void close_turn(owner_id owner, std::uint64_t turn);
  /// Call it before the pool's: what arrives for this owner alone is not kept.
  void release_owner(owner_id owner);

  [[nodiscard]] store_loader_messages take_messages() { return std::exchange(out_, {}); }
  [[nodiscard]] store_loader_counts counts() const noexcept { return counts_; }
  /// Questions that wait, and loads whose question has been answered already.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct question {
    client_id client = 0;
    lease_request request;
    instant asked_at{0};
    std::uint32_t held = 0;  ///< blocks that were here when it began to wait
    [[nodiscard]] instant deadline() const { return asked_at + instant{limits::tier_wait}; }
  };
  struct load {
    question begun_for;
    bool is_answered = false;
    bool is_late = false;      ///< the store still owes an answer at the deadline, whoever may wait for it
    bool is_orphaned = false;  ///< its owner has died
    std::vector<question> waiting;
    store_id store = 0;
    std::uint32_t held = 0;       ///< blocks that were here when the store was asked
    std::uint32_t fetching = 0;   ///< slots that the store writes; 0: it has been asked what it has
    std::uint32_t slower_to = 0;  ///< as far as a store has the chain, but slower than it is computed
    instant fetch_begun{0};
  };
  struct load_rate {
    decaying_rate blocks;
    instant measured_at{0};
  };

  void take_up(question asked);
  void ask_store(std::uint64_t number, std::size_t first);
  void answer(const question& asked);
  void refuse(const question& asked);
  void close(std::uint64_t number);
  void give_way(std::uint64_t number);
  [[nodiscard]] load* load_of(store_id from, std::uint64_t number);
  [[nodiscard]] std::size_t behind(store_id store) const;
  [[nodiscard]] bool is_hung(store_id store) const;
  [[nodiscard]] bool is_computed_faster(const question& asked, store_id than) const;
  void measure(store_id store, std::uint32_t blocks, instant begun, instant now);

  host_pool& pool_;
  std::vector<store_id> stores_;
  std::map<store_id, load_rate> rates_;
  std::map<std::uint64_t, load> loads_;  ///< by the number under which the store was asked last
  std::uint64_t numbers_ = 0;
  store_loader_messages out_;
  store_loader_counts counts_;
};

}  // namespace troupe::core
