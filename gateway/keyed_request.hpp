// From a request with an idempotency key to the turn that it means.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "gateway/routes.hpp"
#include "gateway/turn_follower.hpp"

namespace troupe::gateway {

/// What to do with sessions that a turn has displaced and that nobody will name again.
using session_ender = std::function<void(const session_id&)>;

/// A known turn; else what `route` makes of the request, where a turn is begun and kept. Whatever is no turn is answered as without a key,
/// and so is the reason why there is none to follow. A turn of `route` that is not begun gives back all that it took.
std::variant<followed_turn, route_result> find_turn(const turn_key& key, const std::shared_ptr<const connection_context>& context,
                                                    const std::string& request_id, error_shape shape,
                                                    const std::function<route_result()>& route, const session_ender& end_session);

}  // namespace troupe::gateway
