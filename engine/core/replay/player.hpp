// Plays a scenario over pools of blocks in virtual time: the product's retention policies, routing policies and prefix index, without
// anything computed. Misses do not change when requests start, and blocks of running requests may leave: that keeps the figures
// comparable digit by digit.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/core/replay/hints.hpp"
#include "engine/core/replay/scenario.hpp"
#include "engine/core/retention/retention_policy.hpp"

namespace troupe::core::replay {

/// What moving and computing cost; the defaults are about those of an 8B model on one data-centre GPU.
struct replay_rates {
  double step_s = 0.004;  ///< before the first token, whatever is computed
  double prefill_tokens_per_s = 30'000;
  double decode_tokens_per_s = 60;  ///< of one sequence
  double kv_bytes_per_token = 131'072;
  double host_bytes_per_s = 20e9;  ///< from host memory to a device
  bool operator==(const replay_rates&) const = default;
};

struct row_options {
  std::string policy = "lifecycle";
  std::string routing = "cost";
  std::uint64_t device_blocks = 0;  ///< of all workers together, split evenly
  std::uint64_t host_blocks = 0;    ///< of the tier that they share
  std::uint32_t workers = 1;
  bool deaths = false;
  std::uint32_t seed = 1;  ///< of random routing
  replay_rates rates;
};

struct row_figures {
  std::uint64_t blocks = 0, device_hits = 0, host_hits = 0;
  std::uint64_t computed = 0, offloaded = 0, onboarded = 0;  ///< blocks
  std::array<std::uint64_t, eviction_causes> evictions{};    ///< blocks that left memory, by cause
  std::vector<float> first_token_s;                          ///< per request, ascending
  std::uint64_t decisions = 0;                               ///< how often a victim was asked for
  [[nodiscard]] double hit_rate() const {
    return blocks == 0 ? 0 : static_cast<double>(device_hits + host_hits) / static_cast<double>(blocks);
  }
  [[nodiscard]] double first_token_quantile_s(double share) const;
};

/// What all rows of one scenario share.
struct replay_input {
  const recorded_trace& trace;
  const scenario& played;
  std::span<const std::vector<use_run>> future;  ///< for belady; may be empty for the others
  std::span<const float> hints;                  ///< per request
};

/// `progress` is called now and then with the share that is done. Failure: invalid_request for names and shapes that do not fit.
expected<row_figures> play(const replay_input& input, const row_options& options, const std::function<void(double)>& progress = {});

}  // namespace troupe::core::replay
