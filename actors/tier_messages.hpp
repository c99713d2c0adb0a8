// How workers and the host tier of their process move blocks between them: the structs of engine/core/tier.hpp as messages. They hold
// addresses, so they never leave the process.
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>
#include <memory>

#include "engine/core/tier.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// Where a tier answers to: a worker.
using tier_client_actor = caf::typed_actor<caf::reacts_to<core::slot_grant>, caf::reacts_to<core::lease_grant>>;

/// The host tier as workers see it. Requests are answered by messages to the client that came with them.
using host_tier_actor = tier_actor::extend<caf::reacts_to<core::slot_request, tier_client_actor>, caf::reacts_to<core::slot_commit>,
                                           caf::reacts_to<core::lease_request, tier_client_actor>, caf::reacts_to<core::lease_end>,
                                           caf::reacts_to<core::chain_touch>, caf::reacts_to<core::turn_closing>,
                                           caf::reacts_to<core::turn_outlook>,
                                           caf::reacts_to<owner_forget>, caf::reacts_to<owner_intent>>;

/// The node tells a worker of the tier below it, sent anew when the tier was restarted.
struct tier_below {
  host_tier_actor handle;
  std::uint32_t blocks = 0;  ///< of the tier, this worker's part of them
  core::offload_rule rule = core::offload_rule::write_through;
};

}  // namespace troupe::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::slot_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::slot_grant)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::slot_commit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::lease_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::lease_grant)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::lease_end)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::chain_touch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::turn_closing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::core::turn_outlook)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::tier_below)
