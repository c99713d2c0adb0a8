// The tool pause that a session is in: what its worker was told of it, what the worker expects, and the prefetch for its end.
#pragma once

#include <optional>
#include <vector>

#include "engine/core/instant.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

struct session_pause {
  enum class prefetch_stage : std::uint8_t { none, asked, ready };

  std::uint64_t number = 0;  ///< of the outcome that was told last: an answer to an earlier one is stale
  turn_outcome told;         ///< of the last main turn
  worker_actor worker{};     ///< that computed it; null: nobody is to be told
  core::instant since{};
  pause_forecast forecast;
  std::optional<core::instant> prefetch_at;
  prefetch_stage prefetch = prefetch_stage::none;
  std::uint32_t blocks_prefetched = 0;
  std::vector<token_id> answer;  ///< continues the last prompt
};

}  // namespace troupe::actors
