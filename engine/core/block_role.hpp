// What a block holds. A prompt says so in ranges of tokens; a block has the role of most of its tokens. Nothing but worth follows from a
// role: two sessions may see one block differently, and an unknown role is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/block_hash.hpp"

namespace troupe::core {

/// Tool calls are output. Stored by number: new ones go to the end.
enum class block_role : std::uint8_t { unknown, system, tools, user, tool_result, reasoning, output };
inline constexpr std::size_t block_roles = static_cast<std::size_t>(block_role::output) + 1;
std::string_view to_string(block_role role);
/// Of a stored number; what is beyond ours is unknown.
block_role role_of_number(std::uint8_t number);

/// Tokens up to `token_end`, from the end of the range before.
struct role_range {
  block_role role = block_role::unknown;
  std::uint32_t token_end = 0;
  bool operator==(const role_range&) const = default;
};

/// The role of most of the tokens [begin, end), of several the one that comes first. What no range covers is unknown.
block_role role_of(std::span<const role_range> ranges, std::uint32_t begin, std::uint32_t end);

/// That a block holds something else than whoever stored it could know.
struct told_role {
  block_identity block;
  block_role role = block_role::unknown;
  bool operator==(const told_role&) const = default;
};

}  // namespace troupe::core
