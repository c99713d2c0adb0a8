// Which worker takes a turn. A policy is pure: candidates in, index of the choice out. Replaceable by name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::core {

/// One worker as the shard sees it now.
struct route_candidate {
  worker_id worker;
  std::uint32_t matched_blocks = 0;  ///< leading blocks on its device
  std::uint32_t onboard_blocks = 0;  ///< the next ones, in a tier that it can read
  std::uint32_t running = 0, waiting = 0;
  std::uint64_t prefill_tokens_waiting = 0;
  std::uint32_t free_blocks = 0, evictable_blocks = 0;
  double prefill_tokens_per_s = 0;  ///< 0: not measured yet
  double decode_tokens_per_s = 0;
  double onboard_blocks_per_s = 0;
};

struct route_question {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t block_tokens = 32;
  std::uint32_t output_tokens = 0;                        ///< expected, 0: unknown
  std::optional<worker_id> last_worker = std::nullopt;    ///< of the session: wins ties
  std::optional<worker_id> parent_worker = std::nullopt;  ///< then this one
  std::uint64_t random = 0;                               ///< drawn by the caller
};

class routing_policy {
 public:
  virtual ~routing_policy() = default;
  /// `candidates` is not empty. Returns an index into it.
  virtual std::size_t choose(const route_question& question, std::span<const route_candidate> candidates) = 0;
};

/// "round_robin", "random", "least_loaded", "sticky", "cost"; null for an unknown name.
std::unique_ptr<routing_policy> make_routing_policy(std::string_view name);
std::vector<std::string_view> routing_policy_names();

/// Expected seconds until the turn is served by `candidate`, as queue wait, onboarding, prefill of the rest, slowdown of the running
/// decodes, value of displaced blocks. Unmeasured rates count as 1000 prefill and 30 decode tokens/s, and 2000 onboarded blocks/s.
double route_cost_s(const route_question& question, const route_candidate& candidate);

}  // namespace troupe::core
