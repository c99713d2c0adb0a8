// What stored responses hold, as items: the history that a request goes on from, and what a client lists.
#pragma once

#include <boost/json/array.hpp>
#include <optional>

#include "engine/store/stored_response.hpp"
#include "gateway/responses_request.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

/// Items of `last` and of all before it, the oldest first: what was asked and what was answered, turn by turn.
boost::json::array history_of(const store::response_ptr& last);
/// The same without the answer of `last`: what its model was given. Each has an id.
boost::json::array input_items_of(const store::response_ptr& last);

/// What a request may look up on behalf of its caller: its history, references to items of stored responses, sealed reasoning.
responses_sources sources_of(const route_context& context, const store::response_ptr& previous);

}  // namespace troupe::gateway
