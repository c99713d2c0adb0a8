// What CAF does by default it prints to stdout; ours is counted and logged instead. Every behaviour calls set_defaults first.
// An exception in a handler ends the actor with an error that keeps what() (CAF alone would lose it): its supervisor decides.
#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <string>

namespace troupe::actors {

/// `name` is the behaviour's, for the log. Replaces the handlers for unexpected messages, unhandled down messages, unhandled errors
/// and exceptions. A behaviour that monitors sets its own down handler afterwards.
void set_defaults(caf::scheduled_actor* self, const std::string& name);

/// Messages that no handler took, over all actors of this process. Messages that could not be decoded arrive empty and are counted
/// here too.
std::uint64_t unexpected_messages() noexcept;

/// The actor's own time, virtual in tests: nanoseconds from an arbitrary origin.
std::chrono::nanoseconds now_of(caf::scheduled_actor* self);

}  // namespace troupe::actors
