// What every protocol's reader makes of a request: one internal representation of the turn, and what the client wants to see of it.
#pragma once

#include <string>

#include "messages/turn.hpp"

namespace troupe::gateway {

/// What the client wants to see, beside the turn itself.
struct answer_wish {
  std::string model;  ///< as the client named it, may be empty
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  session_id continues{};  ///< whose history this goes on from, unless the client names a session
};

struct client_turn {
  turn_request turn;  ///< without id, model, hints and timeout
  answer_wish wish;
};

}  // namespace troupe::gateway
