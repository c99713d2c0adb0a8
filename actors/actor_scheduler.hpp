// The threads that actors run on and the clock of their timeouts, in CAF's place.
//
// CAF's own clock takes each timeout that is set or called off as an event for a thread of its own: two thread switches for each request
// between actors, of which a turn makes ten. This one notes them under a lock and wakes its thread only for what is due before all else.
#pragma once

#include <caf/actor_system_config.hpp>
#include <cstddef>

namespace troupe::actors {

/// Loads the scheduler into a system that has yet to be made. `threads` run actors, each for a bounded number of messages at a time.
void use_actor_scheduler(caf::actor_system_config& settings, std::size_t threads);

}  // namespace troupe::actors
