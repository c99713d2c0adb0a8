// Who speaks: session and parent from our headers, else from the body's `agent_hints`, else from Claude Code's headers, else a fresh
// session that lives for one turn. Also the hints themselves, in all the spellings that are read.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>

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
};

/// invalid_request when an id is empty, too long or not printable ASCII, or when a session names itself as its parent.
expected<turn_identity> read_identity(const http_request& request, const boost::json::object& body, const random_source& draw);

/// "" or why `id` cannot name a session.
std::string check_session_id(std::string_view id);

/// `agent_hints` of a body, or of its `nvext`; identity members are not read here.
void read_hints(const json_reader& body, agent_hints& hints);

/// The client's own `x-request-id` when it is short and plain, else a fresh one.
std::string request_id_of(const http_request& request, const random_source& draw);

}  // namespace troupe::gateway
