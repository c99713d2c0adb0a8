// The state of one row's play. Internal to player*.cpp.
#pragma once

#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "engine/core/prefix_index.hpp"
#include "engine/core/replay/player.hpp"
#include "engine/core/replay/replay_pool.hpp"
#include "engine/core/replay/stream_finder.hpp"
#include "engine/core/routing.hpp"

namespace troupe::core::replay {

class row_player {
 public:
  row_player(const replay_input& input, const row_options& options);
  row_figures run(const std::function<void(double)>& progress);

 private:
  struct worker {
    std::unique_ptr<replay_pool> device;
    std::uint32_t running = 0;
    double busy_until_s = 0;  ///< with prefills, one after the other
  };
  /// What a stream has running or has run last.
  struct stream_state {
    std::uint32_t worker = no_worker;
  };
  static constexpr std::uint32_t no_worker = ~std::uint32_t{0};

  void finish_until(double now_s);
  void request(std::uint32_t number);
  void fill(stream_id stream, std::uint32_t on, std::uint32_t hits, instant now);
  void take_from_host(std::uint32_t number, stream_id stream, instant now);
  void evict(std::uint32_t from, const eviction& gone, instant now);
  bool demote(block_index block, eviction_cause cause, instant now);
  void end_session(std::uint32_t session, stream_id stream, instant now);
  void measure(const played_request& asked, worker& on, std::uint32_t device_hits, std::uint32_t host_hits);
  turn_start turn_of(std::uint32_t number, stream_id stream, std::span<const block_index> resident) const;

  // player_route.cpp
  std::uint32_t route(std::uint32_t number, stream_id stream);
  [[nodiscard]] std::uint32_t reachable(std::uint32_t on, std::uint32_t from) const;
  void announce_stored(std::uint32_t on, block_index block, block_index parent);
  void announce_removed(std::uint32_t on, block_index block);

  const replay_input& input_;
  const row_options& options_;
  bool has_deaths_;
  std::vector<worker> workers_;
  std::unique_ptr<replay_pool> host_;
  std::unique_ptr<routing_policy> routing_;
  prefix_index index_;
  stream_finder finder_;
  std::vector<stream_state> streams_;
  std::vector<std::pair<std::uint32_t, stream_id>> served_;  ///< per request: by which worker, of which stream
  using finish = std::pair<double, std::uint32_t>;
  std::priority_queue<finish, std::vector<finish>, std::greater<>> finishes_;
  std::vector<std::vector<block_index>> session_blocks_;  ///< with deaths: the blocks of one session alone, parents first
  std::vector<block_index> path_, host_path_;
  std::vector<std::uint64_t> symbols_;
  std::vector<holder_match> matches_;
  std::vector<route_candidate> candidates_;
  std::vector<std::uint32_t> copies_;  ///< per block, on how many devices; with several workers
  std::vector<stream_id> owners_;      ///< per block, whose it was last; with a tier
  std::mt19937_64 rng_;
  row_figures figures_;
};

}  // namespace troupe::core::replay
