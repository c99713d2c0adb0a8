// What a retention decision costs with many sessions: each is told of turns, pauses and returns in virtual time over a full pool, and
// every block stored asks for a victim. The clock covers all that a pool does for it: events, learning, ranking.
#include <cmath>
#include <cstring>
#include <random>
#include <string_view>

#include "bench/report.hpp"
#include "engine/core/retention/retention_policy.hpp"
#include "engine/core/tenant_shares.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

struct shape {
  std::uint32_t sessions, blocks_per_session, turns;
  std::uint32_t tenants = 0;  ///< with shares that leave none of them room: each decision goes by them
};

/// A pool that holds a third of what the sessions would like.
class workload {
 public:
  workload(std::string_view policy, const shape& size)
      : size_(size),
        policy_(make_retention_policy(policy, {.block_count = size.sessions * size.blocks_per_session * 2, .tenants = size.tenants})),
        shares_(capacity_of(size), std::vector<tenant_share>(size.tenants, {"", 0.9 / std::max(size.tenants, 1U)})),
        held_(size.sessions) {
    capacity_ = capacity_of(size);
  }

  /// Returns how many victims were asked for.
  std::uint64_t run() {
    std::mt19937_64 rng(1);
    std::lognormal_distribution<double> gap(std::log(9.0 / size_.sessions), 1.0);
    double now_s = 0;
    for (std::uint32_t turn = 0; turn < size_.turns; ++turn) {
      now_s += gap(rng);
      const auto session = static_cast<stream_id>(rng() % size_.sessions);
      const instant now{static_cast<std::int64_t>(now_s * 1e9)};
      play(session, turn, now);
      policy_->turn_finished({.stream = session, .turn = turn, .end = static_cast<turn_end>(1 + rng() % 2), .output_tokens = 200},
                             now + instant{1});
    }
    return decisions_;
  }
  [[nodiscard]] std::uint64_t result() const { return hash_.value(); }

 private:
  static std::uint32_t capacity_of(const shape& size) { return size.sessions * size.blocks_per_session / 3; }
  [[nodiscard]] tenant_index tenant_of(stream_id session) const {
    return static_cast<tenant_index>(size_.tenants == 0 ? 0 : session % size_.tenants);
  }
  /// As a block_pool asks.
  eviction victim(stream_id session, std::uint32_t depth, instant now) {
    retention_policy::question asked{session, depth};
    if (!shares_.is_bounded()) return policy_->victim(asked, now);
    if (shares_.is_full(tenant_of(session))) {
      asked.tenant = tenant_of(session);
      return policy_->victim(asked, now);
    }
    eviction gone;
    shares_.visit_above([&](tenant_index above) {
      gone = policy_->victim({.tenant = above}, now);
      return gone.block == no_block;
    });
    return gone.block == no_block ? policy_->victim(asked, now) : gone;
  }
  block_index block_of(stream_id session, std::uint32_t depth) const { return session * size_.blocks_per_session + depth; }

  void play(stream_id session, std::uint32_t turn, instant now) {
    path_.clear();
    for (std::uint32_t depth = 0; depth < size_.blocks_per_session; ++depth) path_.push_back(block_of(session, depth));
    std::uint32_t& held = held_[session];
    policy_->turn_started({session, turn, turn_input::tool_result, std::span(path_).first(held), size_.blocks_per_session, tenant_of(session)}, now);
    policy_->busy(std::span(path_).first(held));
    for (; held < size_.blocks_per_session; ++held) {
      if (used_ == capacity_) {
        ++decisions_;
        const eviction gone = victim(session, held, now);
        if (gone.block == no_block) break;
        hash_.add(gone.block);
        policy_->removed(gone.block);
        shares_.give(tenant_of(gone.block / size_.blocks_per_session));
        --held_[gone.block / size_.blocks_per_session];
        --used_;
      }
      policy_->stored(path_[held], held == 0 ? no_block : path_[held - 1]);
      if (shares_.is_bounded()) policy_->belongs(path_[held], tenant_of(session));
      shares_.take(tenant_of(session));
      ++used_;
    }
    policy_->context(session, std::span(path_).first(held), now);
    policy_->idle(std::span(path_).first(held), now);
  }

  shape size_;
  std::unique_ptr<retention_policy> policy_;
  tenant_shares shares_;
  std::vector<std::uint32_t> held_;
  std::vector<block_index> path_;
  std::uint64_t capacity_ = 0, used_ = 0, decisions_ = 0;
  bench::result_hash hash_;
};

struct row {
  const char* policy;
  std::uint32_t tenants;
};

}  // namespace

int main(int argc, char** argv) {
  const bool small = argc > 1 && std::strcmp(argv[1], "--small") == 0;
  if (argc > 1 && !small) {
    std::fprintf(stderr, "usage: retention_bench [--small]\n");
    return 2;
  }
  bench::print_header("retention_bench: one decision with all its events, amortised, 1 thread, medians of 3");
  bool good = true;
  const std::vector<std::uint32_t> counts = small ? std::vector<std::uint32_t>{100} : std::vector<std::uint32_t>{100, 1'000, 10'000};
  for (const std::uint32_t sessions : counts)
    for (const auto& [policy, tenants] : {row{"lru", 0}, row{"lru", 8}, row{"lifecycle", 0}, row{"lifecycle", 8}}) {
      const shape size{sessions, 64, small ? 2'000U : std::max(20'000U, 6 * sessions), tenants};
      std::vector<double> per_decision_s;
      std::uint64_t decisions = 0, result = 0;
      for (int repeat = 0; repeat < (small ? 1 : 3); ++repeat) {
        workload work(policy, size);
        const double seconds = bench::seconds_of([&] { decisions = work.run(); });
        per_decision_s.push_back(seconds / static_cast<double>(std::max<std::uint64_t>(decisions, 1)));
        good = good && decisions > 0 && (repeat == 0 || result == work.result());
        result = work.result();
      }
      std::printf("%-10s %6u sessions %2u tenants  %8.3f us per decision, %llu decisions, result %016llx\n", policy, sessions, tenants,
                  bench::median(per_decision_s) * 1e6, static_cast<unsigned long long>(decisions), static_cast<unsigned long long>(result));
    }
  return good ? 0 : 1;
}
