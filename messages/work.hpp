// What a session asks of a worker for one turn, and what the worker streams back.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/block_role.hpp"
#include "engine/core/sampling.hpp"
#include "engine/core/scheduler.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/memory.hpp"

namespace troupe {

/// Admits one sequence; safe to repeat for one id. The sink's handle travels beside it; the worker cancels when the sink dies.
struct admit_request {
  request_id id;
  std::vector<token_id> tokens;             ///< the prompt, then what was generated elsewhere before
  std::uint32_t continued = 0;              ///< how many of them were generated
  std::vector<core::block_identity> chain;  ///< of the full blocks of `tokens`
  std::vector<core::role_range> roles;      ///< of `tokens`, at most limits::role_ranges_max; what they do not cover is not known
  std::uint64_t scope_seed = 0;             ///< seed of the chain's block_hasher
  owner_id owner;
  tenant_index tenant = 0;                  ///< whose session it is, by the config that the nodes share
  core::turn_input input = core::turn_input::unknown;
  tool_pause paused;                        ///< the one that this turn ends
  core::tier_level max_tier = core::tier_level::remote;  ///< the lowest tier that may keep what only owners like this one have
  core::sampling_params sampling;
  std::uint32_t tokens_max = 1, tokens_min = 0;
  std::uint32_t output_tokens = 0;          ///< expected, 0: unknown
  std::vector<token_id> stop_tokens;
  std::int32_t priority = 0;
  bool is_ahead = false;                    ///< of the turn that it is for: nobody has asked yet
  std::uint64_t session = 0;                ///< a number for the session through all of its owners; 0: the owner's
  bool is_subagent = false;                 ///< the session has a parent, which may wait for it
  std::uint32_t timeout_ms = 0;             ///< 0: none
  bool operator==(const admit_request&) const = default;
};

/// Events of one sequence, batched: tokens in order, an end at most once and last.
struct sequence_progress {
  request_id id;
  bool started = false;                          ///< prompt_tokens and cached_tokens are set
  std::uint32_t prompt_tokens = 0, cached_tokens = 0;
  std::uint32_t first_index = 0;                 ///< of `tokens` within the output
  std::vector<core::sampled_token> tokens;
  bool ended = false;
  core::finish_reason reason = core::finish_reason::stop;
  failure error;
  bool operator==(const sequence_progress&) const = default;
};

struct sequence_cancel { request_id id; bool operator==(const sequence_cancel&) const = default; };

}  // namespace troupe
