// How far two texts are the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace troupe::text {

inline std::size_t common_bytes(std::string_view left, std::string_view right) {
  // A history is the same for hundreds of kilobytes: whole stretches first.
  constexpr std::size_t stretch = 1024;
  const auto size = std::min(left.size(), right.size());
  std::size_t same = 0;
  while (size - same >= stretch && std::memcmp(left.data() + same, right.data() + same, stretch) == 0) same += stretch;
  const auto end = left.begin() + static_cast<std::ptrdiff_t>(size);
  const auto from = static_cast<std::ptrdiff_t>(same);
  return static_cast<std::size_t>(std::mismatch(left.begin() + from, end, right.begin() + from).first - left.begin());
}

}  // namespace troupe::text
