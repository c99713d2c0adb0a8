// Limits of stored responses, beside those of limits.hpp: whoever does not keep responses need not see them.
#pragma once

#include <chrono>
#include <cstddef>

namespace troupe::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t responses_max = 10'000;           ///< the oldest is forgotten
inline constexpr std::size_t responses_bytes_max = 256 << 20;  ///< of their requests and answers in memory; the oldest is forgotten
inline constexpr auto responses_age_max = 24h * 30;            ///< as OpenAI keeps them; then they are forgotten
inline constexpr std::size_t responses_waiting_max = 1'024;    ///< for the disk; a further one is not kept
inline constexpr std::size_t response_part_bytes = 512 << 10;  ///< of one journal record; a longer response has several
inline constexpr std::size_t response_items_listed_max = 100;  ///< input items of one answer; further ones with `after`

}  // namespace troupe::limits
