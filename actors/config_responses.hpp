// [responses]: how much of what clients may go on from is kept.
#pragma once

#include <cstdint>

#include "messages/base/limits.hpp"

namespace troupe::actors {

struct responses_config {
  std::uint32_t count_max = limits::responses_max;  ///< 0: none is kept
  std::uint64_t bytes_max = limits::responses_bytes_max;
  std::uint32_t age_s_max = std::chrono::seconds(limits::responses_age_max).count();
  bool operator==(const responses_config&) const = default;
};

}  // namespace troupe::actors
