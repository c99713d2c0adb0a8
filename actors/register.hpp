// The one list of behaviours that a configuration can name. A new behaviour adds its line in register.cpp.
#pragma once

#include "actors/behaviour_registry.hpp"

namespace troupe::actors {

void register_behaviours(behaviour_registry& registry);

}  // namespace troupe::actors
