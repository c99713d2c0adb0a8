// How many threads of this process can run at once: those of the machine that it may use, which a container or taskset makes fewer.
#pragma once

#include <sched.h>

#include <algorithm>
#include <thread>

namespace troupe::core {

/// At least 1.
inline unsigned usable_cores() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  const bool is_known = ::sched_getaffinity(0, sizeof(usable), &usable) == 0;  // fails where there are more than a cpu_set_t has
  return std::max(1U, is_known ? static_cast<unsigned>(CPU_COUNT(&usable)) : std::thread::hardware_concurrency());
}

}  // namespace troupe::core
