// Sampling parameters and the sampler itself. The sampler is counter-based: the number drawn for a position depends on
// (request seed, position) alone, so a turn that is preempted or moved to another worker continues exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::core {

/// What one request asks of the sampler. Applied in this order: penalties, temperature, top-k, top-p, min-p.
struct sampling_params {
  float temperature = 1.0F;         ///< 0 is greedy: the smallest token id among the largest logits
  std::int32_t top_k = 0;           ///< 0 keeps all
  float top_p = 1.0F;               ///< nucleus mass in (0, 1]
  float min_p = 0.0F;               ///< relative to the most probable token, [0, 1]
  float repetition_penalty = 1.0F;  ///< > 0; divides positive, multiplies negative logits of seen tokens (prompt and output)
  float presence_penalty = 0.0F;    ///< subtracted once from each token of the output so far
  float frequency_penalty = 0.0F;   ///< subtracted per occurrence in the output so far
  std::uint64_t seed = 0;
  std::int32_t logprobs = -1;       ///< -1 none, else how many top alternatives to report (0..limits::top_logprobs_max)
  bool operator==(const sampling_params&) const = default;
  /// Penalties need the tokens before: such a row is planned only once they are on the host.
  [[nodiscard]] bool needs_history() const {
    return repetition_penalty != 1.0F || presence_penalty != 0.0F || frequency_penalty != 0.0F;
  }
};

struct token_logprob {
  token_id token = 0;
  float logprob = 0;  ///< natural logarithm, of the distribution before temperature and truncation
  bool operator==(const token_logprob&) const = default;
};

struct sampled_token {
  token_id token = 0;
  float logprob = 0;               ///< only when asked for
  std::vector<token_logprob> top;  ///< descending, only when asked for
  bool operator==(const sampled_token&) const = default;
};

/// Uniform in [0, 1), a pure function of its arguments (a mix of seed and position in the style of SplitMix64).
double uniform_at(std::uint64_t seed, std::uint64_t position) noexcept;

/// Draws the token at `position`. `logits` has one entry per vocabulary token and is overwritten.
/// `prompt` and `output` are the tokens before; both may be empty unless `params.needs_history()`.
sampled_token sample(std::span<float> logits, const sampling_params& params, std::uint64_t position,
                     std::span<const token_id> prompt, std::span<const token_id> output);

}  // namespace troupe::core
