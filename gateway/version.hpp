// What this build is. The values are filled in by CMake.
#pragma once

#include <string_view>

namespace troupe::gateway {

extern const std::string_view version;  ///< of the project, e.g. 0.1.0
extern const std::string_view commit;   ///< short hash, or "unknown" outside a checkout

}  // namespace troupe::gateway
