// What a session remembers of the prompt that it has computed ahead.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/session_prompts.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// The next prompt's expected begin, which is being computed ahead.
struct session_speculation {
  request_id id;
  std::uint32_t tokens = 0;  ///< 0: there is none
  std::uint64_t number = 0;  ///< of the pause in which it is worth anything
  std::optional<std::uint32_t> reasoning_begin;  ///< the first token of the loop that is over which is reasoning
  worker_actor worker{};
  session_prompts::scope scope{};
  std::uint64_t scope_seed = 0;
};

}  // namespace troupe::actors
