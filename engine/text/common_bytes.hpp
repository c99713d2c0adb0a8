// How far two texts are the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace troupe::text {

inline std::size_t common_bytes(std::string_view left, std::string_view right) {
  const auto size = std::min(left.size(), right.size());
  const auto end = left.begin() + static_cast<std::ptrdiff_t>(size);
  return static_cast<std::size_t>(std::mismatch(left.begin(), end, right.begin()).first - left.begin());
}

}  // namespace troupe::text
