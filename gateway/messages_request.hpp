// Requests of Anthropic's Messages protocol into turns. Pure: identity, model and ids are the route's. What is unknown in a request,
// fields, blocks and tools alike, is left out or read as the text it holds; what would change the answer's form is refused.
#pragma once

#include <boost/json/fwd.hpp>

#include "gateway/client_turn.hpp"
#include "gateway/json_reader.hpp"
#include "gateway/reasoning_seal.hpp"

namespace troupe::gateway {

/// Thinking whose signature `open` knows is what was signed; any other is what the client says it was.
expected<client_turn> read_messages_request(const boost::json::object& body, const reasoning_opener& open = {});
/// Of /v1/messages/count_tokens: the prompt alone, `max_tokens` may be absent.
expected<client_turn> read_count_request(const boost::json::object& body, const reasoning_opener& open = {});

// Part, in messages_conversation.cpp.
/// `system` and `messages`. `tools_ttl_ms` is the cache breakpoint behind the tools, 0: none; it becomes one of the first message
/// that somebody says, since templates write tools before that, and some of them behind the system text.
void read_turns(const json_reader& body, std::uint32_t tools_ttl_ms, const reasoning_opener& open, turn_request& turn);

}  // namespace troupe::gateway
