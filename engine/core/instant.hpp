#pragma once

#include <chrono>

namespace troupe::core {

/// A point in time on whatever clock the caller uses: nanoseconds from an arbitrary origin.
using instant = std::chrono::nanoseconds;

}  // namespace troupe::core
