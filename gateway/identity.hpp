// Who speaks: session and parent from our headers, else from the body's `agent_hints`, else as known clients say it (client_identity), else
// nobody: then a conversation may tell (conversation_index), or the session lives for one turn. The hints come with it (hint_sources).
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>

#include "gateway/caller.hpp"
#include "gateway/hint_reading.hpp"
#include "gateway/http_message.hpp"
#include "gateway/json_reader.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

/// 64 random bits: ids that nobody can guess. Tests hand in a counter.
using random_source = std::function<std::uint64_t()>;
std::uint64_t draw_random();
/// 128 random bits in hexadecimal.
std::string draw_name(const random_source& draw);

struct turn_identity {
  session_id session, parent;
  agent_hints hints;  ///< of an anonymous session: final_turn, so that it dies after its answer
  bool is_named = false;
  bool is_final = false;  ///< the client says so
  hint_reading told;      ///< what was made of `hints`, and what is none of the session's business
};

/// invalid_request when an id of ours is empty, too long or not printable ASCII, or when a session names itself as its parent. What other
/// clients call themselves is left aside when it cannot name a session.
/// Hints are clipped to `policy`.
expected<turn_identity> read_identity(const http_request& request, const boost::json::object& body, const random_source& draw,
                                      const hint_policy& policy = {});

/// "" or why `id` cannot name a session.
std::string check_session_id(std::string_view id);

/// The client's own `x-request-id` when it is short and plain, else a fresh one.
std::string request_id_of(const http_request& request, const random_source& draw);

}  // namespace troupe::gateway
