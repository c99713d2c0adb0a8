#include "engine/core/block_role.hpp"

#include <algorithm>
#include <array>

namespace troupe::core {

std::string_view to_string(block_role role) {
  constexpr std::array<std::string_view, block_roles> names{"unknown", "system", "tools", "user", "tool_result", "reasoning", "output"};
  return names[static_cast<std::size_t>(role)];
}

block_role role_of_number(std::uint8_t number) { return number < block_roles ? static_cast<block_role>(number) : block_role::unknown; }

block_role role_of(std::span<const role_range> ranges, std::uint32_t begin, std::uint32_t end) {
  struct share {
    std::uint32_t tokens = 0, first = 0;
  };
  std::array<share, block_roles> shares{};
  const auto add = [&](block_role role, std::uint32_t from, std::uint32_t to) {
    share& of = shares[static_cast<std::size_t>(role)];
    if (of.tokens == 0) of.first = from;
    of.tokens += to - from;
  };
  auto at = std::ranges::upper_bound(ranges, begin, {}, &role_range::token_end);
  for (; begin < end && at != ranges.end(); ++at) {
    const auto to = std::min(at->token_end, end);
    if (to <= begin) continue;
    add(at->role, begin, to);
    begin = to;
  }
  if (begin < end) add(block_role::unknown, begin, end);
  const auto is_less = [](const share& a, const share& b) { return a.tokens != b.tokens ? a.tokens < b.tokens : a.first > b.first; };
  return static_cast<block_role>(std::ranges::max_element(shares, is_less) - shares.begin());
}

}  // namespace troupe::core
