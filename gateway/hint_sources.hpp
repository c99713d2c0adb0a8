// Where hints stand in a request, as tables of spellings: `agent_hints` and `nvext.agent_hints`, `x-agent-*` headers, and what engines and
// vendors call the same things.
#pragma once

#include <boost/json/fwd.hpp>

#include "gateway/hint_reading.hpp"
#include "gateway/http_message.hpp"

namespace troupe::gateway {

/// All of them, in the order of their rank. `failed` is for `agent_hints` alone.
hint_reading read_all_hints(const http_request& request, const boost::json::object& body, first_failure& failed);
/// `agent_hints` and `nvext` of a body alone.
hint_reading read_body_hints(const boost::json::object& body, first_failure& failed);

// Parts.
void read_agent_hints(const boost::json::object& hints, const hint_origin& from, hint_reading& into);
void read_hint_headers(const http_request& request, hint_reading& into);
/// foreign_hints.cpp: nothing that is wrong here refuses a request.
void read_nvext(const boost::json::object& body, hint_reading& into);
void read_foreign_hints(const boost::json::object& body, hint_reading& into);

}  // namespace troupe::gateway
