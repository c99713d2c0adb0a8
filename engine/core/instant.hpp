// Time in engine/core: always an argument, on whatever clock the caller uses.
#pragma once

#include <chrono>

namespace troupe::core {

/// Nanoseconds from an arbitrary origin.
using instant = std::chrono::nanoseconds;

}  // namespace troupe::core
