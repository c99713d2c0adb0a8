// How the host tier of a process and the stores below it move blocks between them: the structs of engine/core/lower_store.hpp as messages.
// They hold addresses, so they never leave the process.
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "engine/core/lower_store.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// Where a store answers to: the host tier.
using store_client_actor =
    caf::typed_actor<caf::reacts_to<core::store_put_done>, caf::reacts_to<core::store_found>, caf::reacts_to<core::store_got>>;

/// A disk or remote tier as the host tier sees it. Requests are answered by messages to the client that came with them. Of what owners
/// wish and give up it hears through the host tier too.
using store_tier_actor =
    tier_actor::extend<caf::reacts_to<core::store_put, store_client_actor>, caf::reacts_to<core::store_put_cancel>,
                       caf::reacts_to<core::store_find, store_client_actor>, caf::reacts_to<core::store_get, store_client_actor>,
                       caf::reacts_to<core::store_drop>, caf::reacts_to<owner_intent>>;

/// The node tells a host tier of the stores below it, the nearest first; sent anew when one was restarted.
struct stores_below {
  std::vector<store_tier_actor> handles;
};

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_put)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_put_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_put_cancel)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_find)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_found)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_get)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_got)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::store_drop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::stores_below)
